"""The sweep: closed arms, then open ones at shares of the peak, and the best rate among them."""

from dataclasses import replace

import pandas as pd
import pytest
from click.testing import CliRunner

from oltp_lab.load import sweep
from oltp_lab.load.workload import Arm, Workload
from oltp_lab.measuring.store import Measurements, Run
from oltp_lab.servers import Database

SHORT = {"arms": {"direct_2": Arm(2)}, "seconds": 0.5, "warmup": 0.1}


def test_all_sessions_and_pools_of_the_challenge_are_swept() -> None:
    workload = Workload.read("tenant_isolation", "challenge")
    arms = {**workload.arms, **workload.sweep}.values()
    assert sorted(arm.sessions for arm in arms if arm.closed) == [
        1, 2, 4, 8, 16, 32, 64, 100, 250, 500, 1000,
    ]  # fmt: skip
    pools = [arm.pool for arm in arms if arm.through == "pgbouncer" and arm.sessions == 1000]
    assert sorted(filter(None, pools)) == [4, 8, 16, 32, 64]


def test_it_offers_shares_of_the_peak_and_says_which_rate_is_met(
    seeded: Database, store: Measurements, run: Run
) -> None:
    workload = replace(
        Workload.read("tenant_isolation", "smoke"),
        sweep={"direct_4": Arm(4)},
        objective_ms=10_000.0,
        **SHORT,
    )
    said: list[str] = []
    assert sweep.execute(seeded, workload, store, run, said.append)
    stored = store.read("select arm, tps, offered_tps from load_runs order by recorded_at")
    assert stored["arm"].tolist() == [
        "direct_2", "direct_4", "open_30", "open_50", "open_70", "open_90",
    ]  # fmt: skip
    peak = stored["tps"][:2].astype(float).max()
    assert stored["offered_tps"][2:].astype(float).tolist() == pytest.approx(
        [peak * share for share in (0.3, 0.5, 0.7, 0.9)], rel=0.01
    )
    assert set(store.read("select run_id from load_runs")["run_id"]) == {run.run_id}
    assert "| open_90 |" in said[-1]


def test_an_arm_that_breaks_ends_it(seeded: Database, store: Measurements, run: Run) -> None:
    with seeded.connect() as connection:
        connection.execute("alter policy tenant on campaigns.leads using (true)")
    workload = replace(Workload.read("tenant_isolation", "smoke"), sweep={}, **SHORT)
    said: list[str] = []
    assert not sweep.execute(seeded, workload, store, run, said.append)
    assert store.read("select arm from load_runs")["arm"].tolist() == ["direct_2"]
    assert "isolation broken" in said[-1]


@pytest.mark.parametrize(
    ("p95", "sentence"),
    [
        ([10.0, 20.0, 49.0, 90.0], "50 ms or less: 700/s (open_70, p95 49.0 ms)"),
        ([60.0, 70.0, 80.0, 90.0], "No rate that was offered had a p95 of 50 ms or less"),
    ],
)
def test_the_highest_rate_that_meets_the_objective(p95: list[float], sentence: str) -> None:
    found = pd.DataFrame(
        {
            "arm": [f"open_{share}" for share in sweep.SHARES],
            "through": "direct",
            "offered_tps": [10.0 * share for share in sweep.SHARES],
            "tps": [10.0 * share for share in sweep.SHARES],
            "p95_ms": p95,
            "meets": [value <= 50 for value in p95],
        }
    )
    assert sentence in sweep.best(found, 50.0)


def test_a_workload_without_a_sweep_is_refused() -> None:
    told = CliRunner().invoke(sweep.main, ["campaign_scale"])
    assert told.exit_code != 0
    assert "campaign_scale has no sweep: name some of" in told.output
