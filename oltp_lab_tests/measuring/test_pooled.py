"""Sessions on a psycopg pool: what is measured, waits for a connection, and when it is void."""

from pathlib import Path
from typing import Any

import pytest

from oltp_lab.errors import LabError
from oltp_lab.measuring import loads, scripts
from oltp_lab.measuring.loads import Outcome, measure
from oltp_lab.measuring.pgbench import Load, Script
from oltp_lab.measuring.store import Measurements, Run
from oltp_lab.servers import Database

SLOW = "\\set n random(1, 3)\n\\startpipeline\nselect pg_sleep(0.02);\nselect :n;\n\\endpipeline\n"


@pytest.fixture
def pooled(database: Database, store: Measurements, tmp_path: Path) -> Any:
    def measured(text: str, **how: Any) -> Outcome:
        path = tmp_path / "slow.sql"
        path.write_text(text, "utf-8")
        how = {"sessions": 20, "pool": 2, "rate": 60.0, "seconds": 1.2, "warmup": 0.1} | how
        script = [Script("slow", path)]
        load = Load("test", "arm", script, role="lab_app", through="psycopg_pool", **how)
        return measure(database, load, store, Run.of(database, "run-1", "smoke"))

    return measured


def test_the_tenant_that_a_script_drew_is_told(pooled: Any, store: Measurements) -> None:
    drawn = "\\set tenant random(4, 4)\n\\startpipeline\nselect :tenant::integer;\n\\endpipeline\n"
    assert pooled(drawn).failure is None
    assert set(store.read("select tenant from transactions")["tenant"]) == {4}


def test_waits_for_a_connection_and_the_pool_are_measured(pooled: Any, store: Measurements) -> None:
    outcome = pooled(SLOW)
    assert outcome.failure is None
    (row,) = outcome.operations
    assert int(row["calls"]) > 20
    assert row["p50_ms"] >= 20
    assert 0 <= outcome.run["checkout_p50_ms"] <= outcome.run["checkout_p95_ms"] <= row["p95_ms"]
    assert set(store.read("select tenant is null as none from transactions")["none"]) == {True}
    samples = store.read("select * from pool_samples")
    assert set(samples["pool"]) == {"psycopg_pool"}
    assert max(samples["in_use"].tolist()) <= 2


def test_a_pool_too_small_makes_sessions_wait(pooled: Any) -> None:
    assert pooled(SLOW, pool=1).run["checkout_p95_ms"] > 20, "one connection does 50 a second"


def test_an_error_ends_the_run_and_names_the_operation(pooled: Any) -> None:
    outcome = pooled("\\startpipeline\nselect 1;\nselect 1 / 0;\n\\endpipeline\n")
    assert outcome.failure == "slow: ERROR:  division by zero"
    assert outcome.run["aborted"] == 1


def test_a_busy_client_makes_it_void(
    pooled: Any, store: Measurements, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loads, "BUSIEST", 0.0)
    outcome = pooled(SLOW)
    assert outcome.failure is None
    assert "of a core, more than 0 %: offer a lower rate" in outcome.run["void"]
    assert outcome.run["tps"] is None
    stored = store.read("select p50_ms, p95_ms from load_operations").iloc[0]
    assert stored.isna().to_list() == [True, True]


def test_without_a_rate_it_is_refused(pooled: Any) -> None:
    with pytest.raises(LabError, match="configure a rate"):
        pooled(SLOW, rate=None)


def test_a_script_that_only_pgbench_understands_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.sql"
    for text, message in {"\\sleep 1": "'.*sleep 1'", "select 1;": "no pipeline"}.items():
        path.write_text(text, "utf-8")
        with pytest.raises(LabError, match=message):
            scripts.Script.read(path, {})


def test_draws_are_skewed_as_pgbench_skews_them(tmp_path: Path) -> None:
    path = tmp_path / "x.sql"
    text = "\\set t random_zipfian(1, :n, 1.1)\n\\set u random(2, 4)\n" + SLOW
    path.write_text(text, "utf-8")
    script = scripts.Script.read(path, {"n": 100})
    drawn = [script.drawn() for _ in range(3000)]
    first = sum(row["t"] == 1 for row in drawn) / len(drawn)
    assert 0.15 < first < 0.35
    assert {row["u"] for row in drawn} == {2, 3, 4}
    assert script.statements[1] == "select %(n)s"
