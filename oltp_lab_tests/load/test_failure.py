"""Runs that end badly: what was measured is kept, marked incomplete, and nothing stays behind."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from oltp_lab.load import execution
from oltp_lab.load.steps import Steps
from oltp_lab.load.workload import Arm, Workload
from oltp_lab.measuring import scratch
from oltp_lab.measuring.store import Measurements, Run
from oltp_lab.servers import Database, embedded, pgbouncer

ROOT = Path(__file__).parents[2]
LIMIT = 60.0
WORKLOAD = replace(Workload.read("billing_stress", "smoke"), seconds=30.0, warmup=0.1)
ARM = Arm(6)
DIED = "backend died|server closed the connection|unexpected postmaster exit"

# A run of six sessions for half a minute, by itself and as an asset; where it writes is argv[2].
BY_ITSELF = """
import sys
from dataclasses import replace
from pathlib import Path
from oltp_lab import servers, settings
from oltp_lab.load import execution
from oltp_lab.load.workload import Arm
from oltp_lab.measuring.store import Measurements, Run
from oltp_lab_tests.load.test_failure import WORKLOAD, pooled_arm
database = servers.oltp(settings.load()).sibling(sys.argv[1])
workload = replace(WORKLOAD, arms={"arm": pooled_arm()})
run = Run.of(database, "run-1", "smoke")
execution.execute(database, workload, Measurements(Path(sys.argv[2])), run)
"""
AS_AN_ASSET = """
import sys
from pathlib import Path
import dagster as dg
from oltp_lab.load.assets import assets
from oltp_lab.measuring.store import Measurements
from oltp_lab.resources import MeasurementsResource, Scale
from oltp_lab_tests.load.test_assets import Sibling
MeasurementsResource.store = lambda _: Measurements(Path(sys.argv[2]))
dg.materialize(
    assets,
    selection=["load/billing_stress"],
    resources={
        "oltp": Sibling(name=sys.argv[1]),
        "measurements": MeasurementsResource(),
        "scale": Scale(name="smoke"),
    },
    run_config={"ops": {"load__billing_stress": {"config": {
        "sessions": [6], "seconds": 30, "warmup": 0.1}}}},
)
"""


def pooled_arm() -> Arm:
    """Through a pooler, where there is one."""
    return replace(ARM, through="pgbouncer", pool=2) if pgbouncer.program() else ARM


def _wait_for_load(database: Database) -> None:
    """Until a run is being measured: its samplers have been at work for a while."""
    deadline = time.monotonic() + LIMIT
    with database.connect(autocommit=True) as connection:
        while connection.execute(
            "select count(*) from pg_stat_activity where datname = current_database() "
            "and usename = current_user and query like '%wait_event%' and pid <> pg_backend_pid() "
            "and backend_start < now() - interval '1 s'"
        ).fetchone() == (0,):
            assert time.monotonic() < deadline, "no load began"
            time.sleep(0.05)


def _left(database: Database) -> tuple[object, ...] | None:
    """Sessions, the schema and tenants of a run."""
    with database.connect(autocommit=True) as connection:
        return connection.execute(
            "select (select count(*) from pg_stat_activity where datname = current_database() "
            "and pid <> pg_backend_pid() and backend_type = 'client backend'), "
            "to_regnamespace('scratch_load'), "
            "(select count(*) from public.tenants where name like 'load:%%')"
        ).fetchone()


def _kept(store: Measurements) -> dict[str, object]:
    (row,) = store.read("select transactions, seconds, complete, failure from load_runs").to_dict(
        "records"
    )
    assert row["transactions"] > 0
    assert 0 < row["seconds"] < 29
    assert not row["complete"]
    measured = store.read("select p50_ms from load_operations where calls = 0")
    assert set(measured["p50_ms"].isna()) <= {True}, "no percentile of nothing"
    return {str(name): value for name, value in row.items()}


@contextmanager
def _killed_half_way(database: Database) -> Iterator[None]:
    """The server, as soon as the load in the block is under way."""
    cluster = database.server.cluster
    assert cluster

    def kill() -> None:
        _wait_for_load(database)
        pid = embedded.postmaster(cluster)
        assert pid
        os.kill(pid, signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    yield
    thread.join()


def test_a_server_that_dies_half_way(seeded: Database, store: Measurements, run: Run) -> None:
    """And stays away, as one that was given by URL does, which nobody starts again."""
    if not seeded.server.embedded:
        pytest.skip("the server is not ours to kill")
    away = replace(seeded, server=replace(seeded.server, cluster=None))
    two = replace(WORKLOAD, arms={"first": ARM, "second": ARM})
    with _killed_half_way(seeded):
        (outcome,) = execution.execute(away, two, store, run)
    assert re.search(DIED, outcome.failure or "")
    assert _kept(store)["failure"] == outcome.failure
    judged = store.read("select violations, first from load_invariants")
    assert set(judged["violations"].isna()) == {True}
    assert set(judged["first"]) == {"not asked: the server died"}
    with scratch.made(seeded, tenants=1, targets=1):  # as the next run does
        Steps(seeded, WORKLOAD.folder, {}).tear_down()
    assert _left(seeded) == (0, None, 0)


@pytest.mark.parametrize(
    ("program", "number"), [(BY_ITSELF, signal.SIGINT), (AS_AN_ASSET, signal.SIGTERM)]
)
def test_a_cancelled_run_leaves_nothing(
    seeded: Database, store: Measurements, program: str, number: signal.Signals
) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", program, seeded.name, str(store.folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=_default_signals,  # noqa: PLW1509
    )
    try:
        _wait_for_load(seeded)
        family = psutil.Process(child.pid).children(recursive=True)
        assert {"pgbench"} <= {process.name() for process in family}
        child.send_signal(number)
        said, _ = child.communicate(timeout=LIMIT)
    finally:
        child.kill()
        child.wait()
    assert child.returncode != 0, said
    assert psutil.wait_procs(family, timeout=5)[1] == []
    assert str(_kept(store)["failure"]).endswith(": cancelled")
    assert _left(seeded) == (0, None, 0)


def _default_signals() -> None:
    """As from a shell: background jobs ignore SIGINT, and Dagster may have left SIGTERM ignored."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
