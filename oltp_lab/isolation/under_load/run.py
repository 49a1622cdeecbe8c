"""Isolation under load: many clients change tenants while statements fail and sessions end.

Every statement asserts; each way in has a positive control that must leak, or proves nothing.
"""

import logging
import random
import threading
import time
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql as pg
from psycopg.rows import class_row

from oltp_lab import sql
from oltp_lab.isolation.under_load.clients import (
    FOLDER,
    QUERIES,
    Actors,
    Client,
    Mix,
    Tally,
    Tenant,
    statements,
)
from oltp_lab.isolation.under_load.ways import WAYS, Way, missing
from oltp_lab.measuring import scratch
from oltp_lab.measuring.pgbench import check_room
from oltp_lab.measuring.store import Measurements, Run
from oltp_lab.servers import Database, busy

TABLE = "isolation_load"
CONTROLLED = 3
"""Times that each positive control is tried."""
_COUNTS = ("transactions", "statements", "assertions", "switches", "errors", "cancels",
           "internal_errors", "reconnects")  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """What ``under_load.toml`` says. ``strikes`` are a second; ``seconds`` are each arm's."""

    role: str
    tenants: int
    users: int
    targets: int
    skew: float
    statements: tuple[int, int]
    writes: float
    savepoint: float
    arms: Sequence[str]
    endings: Mapping[str, int]
    strikes: Mapping[str, float]
    clients: int
    sessions: int
    seconds: float

    @classmethod
    def read(cls, scale: str) -> "Plan":
        """The plan, as large as the scale wants it."""
        described = tomllib.loads(sql.read(f"{FOLDER}/under_load.toml"))
        size = described.pop("scales")[scale]
        return cls(**described, **size)

    def mix(self) -> Mix:
        """What its transactions are made of."""
        return Mix(
            statements("reads"),
            statements("writes"),
            statements("failures"),
            endings=self.endings,
            statements=self.statements,
            write_share=self.writes,
            savepoint_share=self.savepoint,
        )


def execute(database: Database, plan: Plan, store: Measurements, run: Run) -> list[dict[str, Any]]:
    """Run the arms one after the other and store a row of ``isolation_load`` for each.

    The sample data stays as it is: what is written belongs to campaigns of the run's own. Raises
    LabError when sessions do not fit, another load run does not make room, or no tenant has rows.
    """
    check_room(database, plan.clients + plan.sessions)
    with (
        scratch.exclusively(database, "isolation under load", run),
        scratch.made(database, tenants=plan.tenants, targets=plan.targets),
        busy.busy(),
        _quiet(),
    ):
        tenants = _tenants(database, plan, run)
        rows = [_arm(database, plan, arm, tenants, run) for arm in plan.arms]
    store.append(TABLE, rows, run=run)
    return rows


def told(row: Mapping[str, Any]) -> str:
    """An arm in a line."""
    if row["skipped"]:
        return f"{row['arm']}: left out, {row['skipped']}"
    return (
        f"{row['arm']}: {row['transactions']:,} transactions, {row['assertions']:,} assertions, "
        f"{row['errors'] + row['cancels']:,} errors and cancels, {row['internal_errors']:,} "
        f"of them internal to the server, {row['reconnects']:,} reconnects, "
        f"{row['leaks']} leaks; {row['control_leaks']} of {row['controls']} controls leaked"
    )


def _tenants(database: Database, plan: Plan, run: Run) -> list[Tenant]:
    """The tenants, each with rows in every table that is read."""
    queries = sql.queries(QUERIES)
    scratch.make_campaigns(database, f"{run.run_id}:under_load")  # a load run may share the run
    with database.connect("lab_platform") as platform:
        platform.execute(queries["first_events"])
        with platform.cursor(row_factory=class_row(Tenant)) as cursor:
            return cursor.execute(queries["tenants"], {"users": plan.users}).fetchall()


def _arm(
    database: Database, plan: Plan, arm: str, tenants: Sequence[Tenant], run: Run
) -> dict[str, Any]:
    """One way in: its control first, then its clients; or the reason why it was left out."""
    if reason := missing(arm):
        return _row(plan, arm, Tally(), reason)
    mark = f"oltp_lab {run.run_id[:8]} {arm}"
    with WAYS[arm](database, plan.role, mark, plan.sessions) as way:
        control = _control(way, plan, tenants)
        began = time.monotonic()
        with _striking(database, plan, mark):
            tally = _drive(way, plan, tenants, arm)
        seconds = time.monotonic() - began
    return _row(plan, arm, tally, seconds=seconds, prepared=way.prepared, **control)


def _drive(way: Way, plan: Plan, tenants: Sequence[Tenant], arm: str) -> Tally:
    """Let the clients run at once."""
    actors, mix, total = Actors(tenants, plan.skew), plan.mix(), Tally()
    until = time.monotonic() + plan.seconds
    with ThreadPoolExecutor(plan.clients) as threads:
        running = [
            threads.submit(Client(way.sessions, actors, mix, f"{arm} {number}").run, until)
            for number in range(plan.clients)
        ]
    for client in running:
        total.add(client.result())
    return total


def _control(way: Way, plan: Plan, tenants: Sequence[Tenant]) -> Counter[str]:
    """A context for the session, as it must not be set: does the next client see those rows?"""
    first, second = way.control
    actors, dice, mix, counted = Actors(tenants, plan.skew), random.Random(), plan.mix(), Counter()
    for control in sql.files(f"{FOLDER}/controls") * CONTROLLED:
        actor, client = actors.draw(dice), Client(second, actors, mix, control)
        tenant = pg.Literal(str(actor.tenant_id))
        with first.borrow() as connection:
            connection.execute(pg.SQL(sql.read(control)).format(tenant=tenant))
        with second.borrow() as connection:
            client.nothing_is_left(connection, actor)
            connection.execute(sql.queries(QUERIES)["forget"])
        counted["controls"] += 1
        counted["control_leaks"] += any(leak.rows for leak in client.tally.leaks)
    return counted


@contextmanager
def _quiet() -> Iterator[None]:
    """That sessions are lost is what was asked for: psycopg need not warn of it."""
    logger = logging.getLogger("psycopg")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextmanager
def _striking(database: Database, plan: Plan, mark: str) -> Iterator[None]:
    """While the block runs, end statements and sessions of the arm from outside."""
    done = threading.Event()
    with (
        database.connect(autocommit=True) as watcher,
        database.connect(plan.role, autocommit=True) as striker,
        ThreadPoolExecutor(1) as thread,
    ):
        running = thread.submit(_strike, watcher, striker, plan.strikes, mark, done)
        try:
            yield
        finally:
            done.set()
    running.result()


def _strike(
    watcher: psycopg.Connection,
    striker: psycopg.Connection,
    strikes: Mapping[str, float],
    mark: str,
    done: threading.Event,
) -> None:
    queries, names = sql.queries(QUERIES), list(strikes)
    rates = list(strikes.values())
    while not done.wait(1 / sum(rates)):
        (name,) = random.choices(names, rates)
        if sessions := watcher.execute(queries["sessions"], {"mark": mark}).fetchall():
            (pid,) = random.choice(sessions)
            striker.execute(queries[name], {"pid": pid})


def _row(
    plan: Plan, arm: str, tally: Tally, skipped: str | None = None, /, **measured: Any
) -> dict[str, Any]:
    leak = tally.leaks[0] if tally.leaks else None
    return {
        "arm": arm,
        "role": plan.role,
        "clients": plan.clients,
        "sessions": plan.clients if arm == "direct" else plan.sessions,
        "tenants": len({tenant for tenant, _ in tally.actors}),
        "users": len({user for _, user in tally.actors}),
        **{name: tally.counted[name] for name in _COUNTS},
        "leaks": len(tally.leaks),
        "controls": 0,
        "control_leaks": 0,
        "seconds": 0.0,
        "prepared": None,
        **measured,
        "leaked_statement": leak and leak.statement,
        "leaked_expected": leak and leak.expected,
        "leaked_seen": leak and leak.seen,
        "skipped": skipped,
    }
