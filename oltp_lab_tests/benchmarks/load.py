"""What the lab adds to pgbench, PgBouncer and row level security cost, and how fast logs are read.

Both sides of a row take turns, first one and then the other, and its interval is that of the turns'
ratios (BCa bootstrap).
"""

import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from oltp_lab.load import rls_cost
from oltp_lab.load.rls_cost import Experiment
from oltp_lab.load.workload import Workload
from oltp_lab.measuring import loads, scratch
from oltp_lab.measuring.pgbench import Driven, Load, drive
from oltp_lab.measuring.statistics import compare
from oltp_lab.measuring.store import Measurements, Run, duck
from oltp_lab.servers import Database, pgbouncer, processes
from oltp_lab_tests.benchmarks._scratch import clone

SECONDS = 4.0
ROUNDS = 8
LINES = 2_000_000
_LIMIT = 120.0


def measure_harness() -> list[dict[str, Any]]:
    """A workload through the lab, in turns with the same scripts under bare pgbench."""
    with _prepared() as (database, load), tempfile.TemporaryDirectory() as folder:
        store, run = Measurements(Path(folder)), Run.of(database, "bench", "bench")
        turns = _turns(
            lambda: loads.measure(database, load, store, run).run["tps"],
            lambda: _bare(database, load),
        )
    return [_row("harness, transactions/s", turns, 0.95)]


def measure_pooled() -> list[dict[str, Any]]:
    """1,000 sessions through PgBouncer, in turns with as many direct ones as its pool has."""
    if pgbouncer.program() is None:
        return []
    with _prepared() as (database, load), tempfile.TemporaryDirectory() as folder:
        pooled = replace(load, sessions=1000, through="pgbouncer", pool=load.sessions)
        turns = _turns(lambda: _tps(database, pooled, folder), lambda: _tps(database, load, folder))
    return [_row("pooled_1000, transactions/s", turns, 0.75)]


def measure_log_ingest() -> list[dict[str, Any]]:
    """Lines of raw logs a second, into the rows that percentiles are made of."""
    load = replace(_load({}), scripts=_load({}).scripts[:5])
    with tempfile.TemporaryDirectory() as folder, duck() as db:
        log = Path(folder) / "log"
        now = int(time.time())
        lines = (
            f"{n % 16} {n // 16 + 2} {n % 9973} {n % 5} {now} {n % 10**6} 0\n" for n in range(LINES)
        )
        log.with_suffix(".0.1").write_text("".join(lines), "utf-8")
        began = time.perf_counter()
        loads._read_log(db, load, Driven(began=now - 1.0, ended=now + 2.0), log)
        loads._operations(db, load)
        took = time.perf_counter() - began
        assert db.execute("select count(*) from rows").fetchone() == (LINES,)
    return [
        {
            "name": "log_ingest, lines/s",
            "ours": round(LINES / took),
            "reference": "1,000,000",
            "ratio": LINES / took / 1e6,
            "goal": ">= 1",
        }
    ]


def measure_rls_cost() -> list[dict[str, Any]]:
    """p50 of each operation under row level security against the filter alone without it."""
    experiment = replace(Experiment.read("challenge"), seconds=10.0)
    with clone() as database, tempfile.TemporaryDirectory() as folder:
        run = Run.of(database, "bench", "bench")
        variants = rls_cost.execute(database, experiment, Measurements(Path(folder)), run)
    rows = [
        {
            "name": f"rls_cost, {variant['operation']}",
            "ours": f"{variant['p50_ms']:.3f} ms",
            "reference": f"{variant['baseline_p50_ms']:.3f} ms",
            **{key: variant[key] for key in ("ratio", "low", "high")},
            "goal": "<= 1.1",
            "detail": f"A against A differs by {variant['noise']:.1%}",
        }
        for variant in variants
        if variant["variant"] == "rls_and_filter"
    ]
    median = statistics.median(row["ratio"] for row in rows)
    operations = f"{len(rows)} operations"
    over = {"name": "rls_cost, median", "ours": operations, "reference": "", "ratio": median}
    return [*rows, {**over, "goal": "<= 1.05"}]


def _load(variables: dict[str, int]) -> Load:
    """The workload by as many sessions as are ideal here."""
    workload = replace(Workload.read("tenant_isolation", "challenge"), seconds=SECONDS, warmup=1.0)
    return workload.load("direct_16", variables)


@contextmanager
def _prepared() -> Iterator[tuple[Database, Load]]:
    """The clone, with what the scripts lean on."""
    with (
        clone() as database,
        scratch.made(database, tenants=100, targets=500) as maker,
    ):
        scratch.make_campaigns(database, "bench")
        yield database, _load(scratch.define_lookups(maker))


def _tps(database: Database, load: Load, folder: str) -> float:
    """Transactions/s, from the raw logs."""
    with tempfile.TemporaryDirectory(dir=folder) as own, duck() as db:
        log = Path(own) / "log"
        driven = Driven()
        drive(database, load, log, driven)
        assert driven.failure is None, driven.failure
        loads._read_log(db, load, driven, log)
        (count,) = db.execute("select count(*) from rows").fetchone() or (0,)
    return count / (driven.ended - driven.began)


def _bare(database: Database, load: Load) -> float:
    """Transactions/s that pgbench says of itself, with nothing beside it and no log."""
    command = [
        argument
        for argument in load.command(Path())
        if not argument.startswith(("--log", "--time", "--progress"))
    ]
    with processes.spawn(
        database.server.settings,
        [*command, f"--time={SECONDS:.0f}"],
        limit=_LIMIT,
        environment={**database.environment(load.role), "LC_ALL": "C"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as child:
        said, _ = child.communicate(timeout=_LIMIT)
    (found,) = re.findall(r"^tps = ([\d.]+)", said, re.MULTILINE)
    return float(found)


def _turns(ours: Callable[[], float], theirs: Callable[[], float]) -> list[tuple[float, float]]:
    """Figures of both by turns; who begins changes, as the first of two has fresher caches."""
    turns = []
    for number in range(ROUNDS):
        if number % 2:
            reference = theirs()
            turns.append((ours(), reference))
        else:
            turns.append((ours(), theirs()))
    return turns


def _row(name: str, turns: list[tuple[float, float]], goal: float) -> dict[str, Any]:
    """The mean of the turns' log ratios, as a ratio."""
    effect = compare(*zip(*turns, strict=True))
    return {
        "name": name,
        "ours": round(statistics.median(ours for ours, _ in turns)),
        "reference": round(statistics.median(theirs for _, theirs in turns)),
        "ratio": effect.ratio,
        "low": effect.low,
        "high": effect.high,
        "goal": f">= {goal}",
        "detail": "; ".join(f"{ours:.0f} against {theirs:.0f}" for ours, theirs in turns),
    }
