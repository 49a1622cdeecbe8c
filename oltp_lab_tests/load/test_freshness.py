"""What fresh figures cost: a short run asserted many ways, and that a cost is found where it is."""

from dataclasses import replace

import pandas as pd
import pytest

from oltp_lab.errors import LabError
from oltp_lab.load import beside, freshness, pages
from oltp_lab.load.freshness_costs import AGAIN, NOTHING, Experiment, Samples
from oltp_lab.measuring.statistics import verdict
from oltp_lab.measuring.store import Measurements, Run
from oltp_lab.servers import Database

SMOKE = Experiment.read("smoke")


def test_ways_take_turns_beside_one_load(seeded: Database, store: Measurements, run: Run) -> None:
    challenge = Experiment.read("challenge")
    # A rate at which each way has the 20 calls that a p95 needs.
    experiment = replace(SMOKE, rate=250, ways={"report": challenge.ways["report"], **SMOKE.ways})
    rows = pd.DataFrame(freshness.execute(seeded, experiment, store, run))
    measured = rows.loc[[not row for row in rows["reckoned"]]].set_index("way")
    assert set(measured.index) == {NOTHING, AGAIN, "live", "batch", "report"}
    assert measured["calls"].min() > 0
    batch = measured.loc["batch"]
    assert batch["piece_p50_s"] <= batch["behind_s"] <= batch["behind_most_s"]
    assert min(batch["process_cpu_s"], batch["server_s"], batch["blocks"]) > 0
    assert batch["rows_a_piece"] > 0, "the load writes, and the sync reads it"
    assert list(measured.loc[["report"], "mart_equals"]) == [True]
    later = rows.query("way == 'batch' and reckoned")
    assert len(later)
    assert later["core_share"].max() < batch["core_share"]
    assert later["behind_s"].min() > batch["behind_s"]
    pieces = store.read("select * from freshness_pieces where way = 'live' and turn > 0")
    assert any(pieces["rows"].tolist())
    shown = {name: str(value) for name, value in pages.freshness(store, rows).items()}
    assert "data:image/png;base64," in shown["freshness_against_cost"]
    with seeded.connect() as connection:
        left = connection.execute(
            "select to_regnamespace('scratch_load'), "
            "(select count(*) from public.tenants where name like 'load:%')"
        ).fetchone()
    assert left == (None, 0)


def test_a_cost_that_is_there_is_found_and_diluted_by_a_longer_interval() -> None:
    base = list(range(100, 200))
    latencies = {NOTHING: base, AGAIN: base[::-1], "dear": [2 * ms for ms in base]}
    rows = [
        {"turn": turn, "way": way, "ms": float(ms + turn)}
        for turn in range(8)
        for way, values in latencies.items()
        for ms in values
    ]
    samples = Samples(range(8), pd.DataFrame(rows))
    same = samples.ratio(AGAIN, 1.0, "p95")
    always, seldom = (samples.ratio("dear", share, "p95") for share in (1.0, 0.01))
    assert same
    assert always
    assert seldom
    assert (verdict(always, same), verdict(seldom, same)) == ("different", "equivalent")
    assert same.ratio == pytest.approx(1.0)
    assert always.ratio == pytest.approx(2.0, rel=0.05)
    assert samples.quantile("dear", 0.5, "p50") == pytest.approx(199, abs=10)
    few = Samples(range(3), samples.latencies)
    assert few.ratio("dear", 1.0, "p95") is None


def test_a_command_that_ends_says_why(database: Database) -> None:
    with (
        beside.commanding(database, ["-c", "import sys; sys.exit('no such mart')"]) as command,
        pytest.raises(LabError, match="ended: no such mart"),
    ):
        command.work()
