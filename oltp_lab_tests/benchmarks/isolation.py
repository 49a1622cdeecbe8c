"""The attacks on isolation against as many bare round trips, and how long the proofs take."""

import statistics
import time
from contextlib import closing
from typing import Any

from oltp_lab import servers, settings
from oltp_lab.isolation import subject
from oltp_lab.isolation.attacks import mutants, probes
from oltp_lab.isolation.attacks.session import Session
from oltp_lab.sample_data import load
from oltp_lab.schema import build
from oltp_lab.servers import Database

_TABLES = (
    "campaigns.leads", "campaigns.events", "campaigns.steps", "billing.invoices",
    "infrastructure.domains", "configuration.tenant_settings", "integration.notifications",
)  # fmt: skip


def measure_attacks() -> list[dict[str, Any]]:
    """Statements/s of the probes on some tables, in turns with the same number of `select 1`."""
    database = _filled()
    turns = [_turn(database, table) for table in _TABLES * 2]
    began = time.monotonic()
    found = sum(1 for probe in probes.run(subject.of_the_lab(database)) if probe.statement)
    whole = time.monotonic() - began
    count = sum(turn["statements"] for turn in turns)
    return [
        {
            "name": "isolation_suite, statements/s",
            "ours": round(count / sum(turn["ours"] for turn in turns)),
            "reference": round(count / sum(turn["bare"] for turn in turns)),
            "ratio": statistics.median(turn["bare"] / turn["ours"] for turn in turns),
            "goal": ">= 0.3",
            "detail": "; ".join(
                f"{turn['table']}: {turn['probes']} probes, {turn['statements']} statements, "
                f"{turn['ours']:.2f} s against {turn['bare']:.2f} s"
                for turn in turns
            ),
        },
        {
            "name": "isolation_suite, whole",
            "ours": f"{whole:.1f} s",
            "reference": f"{found:,} probes",
            "ratio": whole / 60,
            "goal": "< 1 (60 s)",
        },
    ]


def measure_mutants() -> list[dict[str, Any]]:
    """All mutants, the throw-away server included."""
    began = time.monotonic()
    tried = list(mutants.run(settings.load(), mutants.catalogue(), "a benchmark"))
    seconds = time.monotonic() - began
    caught = sum(trial.caught for trial in tried)
    return [
        {
            "name": "isolation_mutants",
            "ours": f"{seconds:.1f} s",
            "reference": f"{caught} of {len(tried) - 1} caught",
            "ratio": seconds / 300,
            "goal": "< 1 (5 min)",
        }
    ]


def _filled() -> Database:
    current = settings.load()
    database = servers.oltp(current)
    build.ensure(database)
    load.ensure(database, current.scale, seed=1)
    return database


def _turn(database: Database, table: str) -> dict[str, Any]:
    """Seconds of the probes on a table, and of as many statements that do nothing."""
    before, began = Session.answered, time.perf_counter()
    tried = sum(1 for _ in probes.run(subject.of_the_lab(database), {table}))
    ours = time.perf_counter() - began
    statements = Session.answered - before
    with closing(database.connect("lab_app", autocommit=True)) as connection:
        began = time.perf_counter()
        for _ in range(statements):
            connection.pgconn.exec_(b"select 1")
        seconds = time.perf_counter() - began
    return {
        "table": table,
        "probes": tried,
        "statements": statements,
        "ours": ours,
        "bare": seconds,
    }
