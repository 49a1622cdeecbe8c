"""Other tenants' operations while the largest tenant is purged, against the same without.

pgbench offers look-ups and updates of other tenants at a fixed rate, from beginning to end. The
purge runs in every second window of it, so that what disturbs the machine disturbs both kinds; a
window is compared with the quiet one before it. Latency counts from when a transaction was due. The
purge rests between its batches, as a worker does that has the time: it takes a share of a core.
"""

import signal
import statistics
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import psycopg

from oltp_lab import servers, settings, sql
from oltp_lab.errors import LabError
from oltp_lab.measuring import scratch
from oltp_lab.measuring.pgbench import Load, Script
from oltp_lab.measuring.statistics import FEWEST, compare
from oltp_lab.sample_data import load as sample_data
from oltp_lab.schema import build
from oltp_lab.servers import Database, databases, processes

GOALS = {50: 1.1, 95: 1.5}
RATE = 300.0  # transactions/s offered, a tenth of what two cores can do
SESSIONS = 8
WINDOW = 2.0  # seconds
WARMUP = 3.0
BATCH = 100  # rows: what another transaction may have to wait for is a few milliseconds
REST = 3.0  # times as long as a batch took
_LIMIT_S = 120.0
_WORKLOAD = "tenant_isolation"
_LARGEST = """
select l.tenant_id from campaigns.leads l join public.tenants t on t.id = l.tenant_id
where t.status = 'active' group by 1 order by count(*) desc, 1 limit 1
"""
# Latencies (us) of transactions that were due in a window, from pgbench's log.
_PERCENTILES = """
select quantile_cont(latency, 0.50) / 1000, quantile_cont(latency, 0.95) / 1000, count(*)
from (select column2::bigint as latency, column4 + column5 / 1e6 as ended
      from read_csv(?, sep = ' ', header = false, null_padding = true))
where ended - latency / 1e6 >= ? and ended - latency / 1e6 < ?
"""


@dataclass
class Windows:
    """The pairs of windows (quiet, purging) as (began, ended), and the purge itself."""

    pairs: list[tuple[tuple[float, float], tuple[float, float]]] = field(default_factory=list)
    rows: int = 0
    busy: float = 0.0  # seconds
    longest: float = 0.0


def measure_purge(rounds: int = 2) -> list[dict[str, Any]]:
    """Over all pairs of windows of so many purges, each in a clone of the lab's database."""
    current = settings.load()
    original = servers.oltp(current)
    build.ensure(original)
    sample_data.ensure(original, current.scale, seed=1)
    quiet: list[tuple[float, float]] = []
    purging: list[tuple[float, float]] = []
    purges: list[Windows] = []
    for _ in range(rounds):
        with (
            databases.temporary(original, original) as database,
            tempfile.TemporaryDirectory() as folder,
        ):
            windows = _purge_under_load(database, Path(folder) / "log")
            purges.append(windows)
            for before, during in windows.pairs:
                quiet.append(_percentiles(Path(folder), *before))
                purging.append(_percentiles(Path(folder), *during))
    if len(quiet) < FEWEST:
        raise LabError(
            f"at scale {current.scale} the largest tenant is purged within {len(quiet)} windows, "
            "too few to compare: set OLTP_LAB_SCALE=challenge"
        )
    told = "; ".join(
        f"{p.rows} rows, {p.busy:.1f} s at work, a call at most {p.longest * 1000:.0f} ms"
        for p in purges
    )
    return [
        _row(f"purge_tenant ({current.scale}), p{p} ms", p, ours, reference, told)
        for p, ours, reference in zip(
            GOALS, zip(*purging, strict=True), zip(*quiet, strict=True), strict=True
        )
    ]


def _row(name: str, percentile: int, ours: Any, reference: Any, told: str) -> dict[str, Any]:
    effect = compare(ours, reference)
    return {
        "name": name,
        "ours": round(statistics.median(ours), 2),
        "reference": round(statistics.median(reference), 2),
        "ratio": effect.ratio,
        "goal": f"<= {GOALS[percentile]}",
        "detail": f"{told}; 95 % interval {effect.low:.2f} to {effect.high:.2f} of {effect.pairs}"
        f" windows at {RATE:.0f} transactions/s",
    }


def _purge_under_load(database: Database, log: Path) -> Windows:
    """Mark the largest tenant deleted, and purge it in every second window."""
    windows = Windows()
    with database.connect("lab_platform", autocommit=True) as platform:
        (tenant,) = platform.execute(_LARGEST).fetchone() or (uuid.UUID(int=0),)
        platform.execute("select tenancy.delete_tenant(%s)", [tenant])
        with _offered(database, log):
            finished = False
            while not finished:
                began = time.time()
                time.sleep(WINDOW)
                middle = time.time()
                while not finished and time.time() < middle + WINDOW:
                    finished = _batch(platform, tenant, windows)
                ended = time.time()
                if ended - middle > WINDOW / 2:
                    windows.pairs.append(((began, middle), (middle, ended)))
    return windows


def _batch(platform: psycopg.Connection, tenant: uuid.UUID, windows: Windows) -> bool:
    """Purge one batch and rest; whether it was the last."""
    began = time.time()
    row = platform.execute(
        "select removed, finished from tenancy.purge_tenant(%s, %s)", [tenant, BATCH]
    ).fetchone()
    took = time.time() - began
    assert row
    windows.rows += row[0]
    windows.busy += took
    windows.longest = max(windows.longest, took)
    time.sleep(took * REST)
    return row[1]


@contextmanager
def _offered(database: Database, log: Path) -> Iterator[None]:
    """Look-ups and updates of the largest active tenants, while the block runs."""
    scripts = [
        Script(operation, sql.path(f"load/{_WORKLOAD}/{operation}.sql"))
        for operation in ("lead_lookup", "enrollment_update")
    ]
    with scratch.made(database, tenants=100, targets=500) as maker:
        scratch.make_campaigns(database, str(uuid.uuid4()))
        load = Load(
            _WORKLOAD,
            "purge",
            scripts,
            role="lab_app",
            sessions=SESSIONS,
            seconds=_LIMIT_S,
            rate=RATE,
            variables=scratch.define_lookups(maker),
        )
        said = log.with_suffix(".stderr")
        with (
            said.open("wb") as stderr,
            processes.spawn(
                database.server.settings,
                load.command(log),
                limit=load.limit,
                environment=database.environment("lab_app"),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
            ) as child,
        ):
            time.sleep(WARMUP)
            yield
            child.send_signal(signal.SIGALRM)  # what its own timer sends
            assert child.wait(_LIMIT_S) == 0, said.read_text("utf-8", "replace")


def _percentiles(folder: Path, began: float, ended: float) -> tuple[float, float]:
    row = duckdb.execute(_PERCENTILES, [f"{folder}/log.[0-9]*", began, ended]).fetchone()
    assert row and row[2] > 100, "too few transactions for a percentile"
    return row[0], row[1]
