"""Load runs on a real server: what is measured, and that a broken run says so and why."""

import re
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from psycopg import sql

from oltp_lab.errors import LabError
from oltp_lab.measuring.loads import Outcome, measure
from oltp_lab.measuring.pgbench import Load, Script
from oltp_lab.measuring.store import Measurements, Run
from oltp_lab.servers import Database

Driver = Callable[..., Outcome]
ENDED = """
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()
        and case when %(samplers)s then usename = current_user and query ~ 'wait_event'
            else application_name = 'oltp_lab test' and backend_start < now() - interval '1.5 s' end
"""


@pytest.fixture
def run(database: Database) -> Run:
    return Run.of(database, "run-1", "smoke")


@pytest.fixture
def drive(database: Database, store: Measurements, run: Run, tmp_path: Path) -> Driver:
    """Measure scripts, given as text by operation, as lab_app."""

    def measured(scripts: dict[str, str], **how: Any) -> Outcome:
        files = []
        for operation, text in scripts.items():
            path = tmp_path / f"{operation} script.sql"
            path.write_text(text, "utf-8")
            files.append(Script(operation, path))
        how = {"sessions": 4, "seconds": 0.5, "warmup": 0.1} | how
        return measure(database, Load("test", "arm", files, role="lab_app", **how), store, run)

    return measured


def test_figures_come_from_the_raw_rows_of_the_window(drive: Driver, store: Measurements) -> None:
    outcome = drive({"quick": "select 1;", "slow": "select pg_sleep(0.01);"}, seconds=1.2)
    assert outcome.failure is None
    raw = store.read("select * from transactions order by ended_at").to_dict("records")
    length = timedelta(seconds=outcome.run["seconds"])
    assert raw[-1]["ended_at"] - raw[0]["ended_at"] < length
    assert outcome.run["transactions"] == len(raw)
    assert outcome.run["tps"] == pytest.approx(len(raw) / outcome.run["seconds"])
    for row in outcome.operations:
        mine = [r for r in raw if r["operation"] == row["operation"]]
        assert row["calls"] == len(mine) > 0
        first = {r["client"]: r["ended_at"] for r in reversed(mine)}
        warm = [r["latency_us"] / 1000 for r in mine if r["ended_at"] > first[r["client"]]]
        assert row["p50_ms"] == pytest.approx(np.quantile(warm, 0.5))
        assert row["p95_ms"] == pytest.approx(np.quantile(warm, 0.95))
    quick, slow = outcome.operations
    assert quick["p50_ms"] < 10 <= slow["p50_ms"]
    assert slow["p99_ms"] is None, "far fewer than 10,000 calls"


def test_what_is_sampled_beside_the_load(drive: Driver, store: Measurements) -> None:
    spin = "select count(*) from generate_series(1, 20000);"
    calls = drive({"spin": spin}, seconds=2.2, sessions=2).run["transactions"]
    resources = store.read("select * from resource_samples").to_dict("records")
    assert 2 <= len(resources) <= 4
    for row in resources:
        assert row["server_cpu_percent"] > max(20, row["client_cpu_percent"])
        assert row["server_memory_mb"] > 20
        assert row["server_processes"] > 2
    waits = store.read("select * from wait_samples").to_dict("records")
    assert 10 <= len({row["at"] for row in waits}) <= 24
    running = [row["active"] > 0 for row in waits if row["wait_event"] == "CPU"]
    assert sum(running) > 0.5 * len(running)
    assert {row["sessions"] for row in waits} == {2}
    counters = {
        row["name"]: row["rise"]
        for row in store.read("select name, rise from server_counters").to_dict("records")
    }
    assert counters["xact_commit"] >= calls
    assert any(str(name).startswith("client backend/") for name in counters)
    statements = store.read("select * from statements where role = 'lab_app'").to_dict("records")
    (spun,) = [s for s in statements if "generate_series" in s["query"]]
    assert spun["calls"] >= calls


def test_p99_from_ten_thousand_calls_on(drive: Driver, store: Measurements) -> None:
    def seconds(wanted: float) -> float:
        (row,) = drive({"quick": ";"}, seconds=wanted).operations
        assert (row["p99_ms"] is None) == (row["calls"] < 10_000)
        return wanted * 10_000 / row["calls"]

    assert seconds(min(10.0, 2 * seconds(0.2))) > 0


def test_an_abort_names_the_script_and_the_message(drive: Driver, store: Measurements) -> None:
    broken = "\\set n random(1, 200)\nselect 1 / (:n - 7);"
    outcome = drive({"fine": "select 1;", "broken": broken}, seconds=5)
    assert outcome.failure == "broken: ERROR:  division by zero"
    assert outcome.run["aborted"] >= 1
    kept = store.read("select complete, failure, seconds from load_runs").iloc[0]
    assert not kept["complete"]
    assert kept["failure"] == outcome.failure
    assert kept["seconds"] < 5


def test_no_percentile_of_nothing(drive: Driver) -> None:
    outcome = drive({"broken": "select 1 / 0;", "fine": "select 1;"})
    assert outcome.failure
    assert outcome.run["tps"] is None
    for row in outcome.operations:
        assert row["calls"] == 0
        assert (row["p50_ms"], row["p95_ms"], row["p99_ms"]) == (None, None, None)


def test_success_without_a_transaction_is_a_failure(drive: Driver) -> None:
    outcome = drive({"stuck": "select pg_sleep(2);"}, warmup=0)
    assert outcome.run["aborted"] == 0
    assert outcome.failure is not None
    assert "not one transaction" in outcome.failure


def test_sessions_that_cannot_connect(drive: Driver, database: Database) -> None:
    with database.connect() as connection:
        revoke = sql.SQL("revoke connect on database {} from public")
        connection.execute(revoke.format(sql.Identifier(database.name)))
    outcome = drive({"any": "select 1;"})
    assert outcome.failure is not None
    assert "permission denied for database" in outcome.failure


@contextmanager
def _ended_from_outside(database: Database, whose: str) -> Iterator[None]:
    """Sessions of a load (``pgbench``) or of its samplers, a while after they began."""

    def terminate() -> None:
        deadline = time.monotonic() + 20
        with database.connect(autocommit=True) as connection:
            while time.monotonic() < deadline:
                time.sleep(0.1)
                done = connection.execute(ENDED, {"samplers": whose == "samplers"})
                if done.rowcount > 0:
                    return

    thread = threading.Thread(target=terminate)
    thread.start()
    yield
    thread.join()


def test_sessions_that_are_ended_from_outside(drive: Driver, database: Database) -> None:
    # Long enough to be ended within: a query sent to a session that is just gone is reset, and the
    # reason goes unread.
    with _ended_from_outside(database, "pgbench"):
        outcome = drive({"any": "select pg_sleep(0.05);"}, seconds=10)
    assert outcome.failure is not None
    assert "terminating connection" in outcome.failure
    assert outcome.run["seconds"] < 10
    assert not outcome.run["complete"]
    assert outcome.operations[0]["calls"] > 0, "what was measured until then is kept"


def test_a_sampler_that_cannot_read_any_more(drive: Driver, database: Database) -> None:
    with _ended_from_outside(database, "samplers"):
        outcome = drive({"any": "select pg_sleep(0.05);"}, seconds=2.5)
    assert re.match("the sampler of (waits|resources) failed: ", outcome.failure or "")
    assert not outcome.run["complete"]
    assert outcome.operations[0]["calls"] > 0


def test_counters_that_were_reset_are_no_figures(
    drive: Driver, database: Database, store: Measurements
) -> None:
    with database.connect(autocommit=True) as connection:
        connection.execute("create function public.forget() returns void language sql "
                           "security definer begin atomic select pg_stat_reset(); end")  # fmt: skip
    outcome = drive({"any": "select public.forget();"}, sessions=1)
    assert "counters were reset" in (outcome.failure or "")
    assert "server_counters" not in store.tables()


def test_failures_by_class_are_no_aborts(drive: Driver, database: Database) -> None:
    with database.connect() as connection:
        connection.execute("create table public.counter as select 0 as n")
        connection.execute("grant select, update on public.counter to lab_app")
    script = "begin isolation level serializable;\nupdate counter set n = n + 1;\ncommit;"
    outcome = drive({"update": script}, max_tries=1)
    (row,) = outcome.operations
    assert outcome.failure is None
    assert row["serialization_failures"] == row["failures"] == outcome.run["failed"] > 0
    (retried,) = drive({"update": script}, max_tries=100).operations
    assert retried["retries"] > 0
    assert retried["failures"] < row["failures"]


def test_an_open_load_counts_from_when_a_transaction_was_due(
    drive: Driver, store: Measurements
) -> None:
    script = {"slow": "select pg_sleep(0.05);"}
    outcome = drive(script, sessions=1, rate=200, latency_limit_ms=100, seconds=1)
    (row,) = outcome.operations
    assert row["skipped"] > 0, "one session does 20 of 200 a second"
    assert row["failures"] == row["skipped"]
    lag = store.read("select max(schedule_lag_us) as lag from transactions where outcome = 'ok'")
    assert lag["lag"].iloc[0] > 10_000
    assert row["p50_ms"] > 55


def test_too_many_sessions_are_refused_with_the_number_needed(drive: Driver) -> None:
    with pytest.raises(LabError, match=r"5000 sessions do not fit.*max_connections to 5\d\d\d"):
        drive({"any": "select 1;"}, sessions=5000)


def test_too_few_open_files_are_told_before_anything_starts() -> None:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))\n"
        "from oltp_lab.measuring.pgbench import check_room\n"
        "check_room(None, 1000)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert "1000 sessions need 1064 open files, the limit is 200" in done.stderr


def test_a_low_soft_limit_is_raised_for_the_child(drive: Driver) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (150, hard))
    try:
        outcome = drive({"any": "select pg_sleep(0.1);"}, sessions=200)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (150, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert outcome.failure is None
