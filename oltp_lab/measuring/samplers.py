"""What is sampled beside a load: CPU, memory and wait events, and the server's own counters.

``sampling`` runs threads for the length of its block; ``counting`` takes the difference of two
readings. What cannot be read on this server is left out, and ``skipped`` says why.
"""

import random
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

import psutil
import psycopg
from psycopg.rows import dict_row

from oltp_lab import sql
from oltp_lab.errors import LabError
from oltp_lab.measuring import plans, procfs
from oltp_lab.servers import Database, pgbouncer

RESOURCES_EVERY = 1.0  # seconds
WAITS_EVERY = 0.1
POOLS_EVERY = 0.25
BACKENDS_READ = 16
"""Of the load's backends, so many have their memory read, and the sum is scaled."""
STATEMENTS_KEPT = 50
"""By total time."""
STATEMENTS_EXPLAINED = 5

Rows = list[dict[str, Any]]


@dataclass
class Samples:
    """Rows for the measurement tables of these names; what was left out, and what broke."""

    resource_samples: Rows = field(default_factory=list)
    wait_samples: Rows = field(default_factory=list)
    pool_samples: Rows = field(default_factory=list)
    server_counters: Rows = field(default_factory=list)
    statements: Rows = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def tables(self) -> dict[str, Rows]:
        """The rows by table."""
        names = (
            "resource_samples", "wait_samples", "pool_samples", "server_counters", "statements",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names}

    def forget_before(self, began: float) -> None:
        """Forget samples taken before a ``time.time()``."""
        for rows in (self.resource_samples, self.wait_samples, self.pool_samples):
            rows[:] = [row for row in rows if row["at"].timestamp() > began]


@contextmanager
def sampling(
    database: Database,
    clients: Collection[int],
    samples: Samples,
    pooler: pgbouncer.Bouncer | None = None,
) -> Iterator[None]:
    """Sample resources every second, waits and pools more often, while the block runs.

    ``clients`` are the pids of the processes that make the load, ``pooler`` is what they go
    through. A sampler that fails ends alone and leaves its reason in ``samples.errors``.
    """
    stop = threading.Event()
    with ExitStack() as stack:
        connection = stack.enter_context(database.connect(autocommit=True))
        steps = {"resources": (RESOURCES_EVERY, _resources(connection, clients, samples))}
        if pooler:
            console = stack.enter_context(
                psycopg.connect(
                    pooler.conninfo(pgbouncer.CONSOLE),
                    autocommit=True,
                    prepare_threshold=None,  # it knows the simple protocol alone
                )
            )
            steps["pools"] = POOLS_EVERY, _pools(console, samples)
        if _sees_other_sessions(connection):
            steps["waits"] = WAITS_EVERY, _waits(connection, samples)
        else:
            samples.skipped.append("wait events: the administrator lacks the role pg_monitor")
        threads = [
            threading.Thread(target=_repeat, args=(name, *step, stop, samples), name=name)
            for name, step in steps.items()
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()


@contextmanager
def counting(database: Database, samples: Samples) -> Iterator[None]:
    """Add what the server's counters and statement statistics rise by in the block, and the plans
    of the dearest statements.

    Sessions report their counters at most once a second, and when they end: let those that are to
    be counted end inside of the block.
    """
    before = _read(database)
    yield
    try:
        after = _read(database)
    except (psycopg.Error, LabError) as error:
        samples.errors.append(f"the server's counters could not be read: {error}")
        return
    if any(after.counters.get(key, 0.0) < value for key, value in before.counters.items()):
        samples.errors.append("the server's counters were reset meanwhile, as by a crash")
        return
    for (source, name), value in after.counters.items():
        if (rise := value - before.counters.get((source, name), 0.0)) > 0:
            samples.server_counters.append({"source": source, "name": name, "rise": rise})
    if after.statements is None:
        samples.skipped.append("statements: pg_stat_statements is not installed or not visible")
    else:
        risen = _risen(before.statements or {}, after.statements)
        shown = plans.generic(database, risen[:STATEMENTS_EXPLAINED])
        left = [None] * (len(risen) - len(shown))
        samples.statements.extend(
            row | {"plan": plan} for row, plan in zip(risen, [*shown, *left], strict=True)
        )


def _repeat(
    name: str,
    every: float,
    step: Callable[[], None],
    stop: threading.Event,
    samples: Samples,
) -> None:
    due = time.monotonic() + every
    ended = False
    while not ended:
        ended = stop.wait(max(0.0, due - time.monotonic()))  # the end is a sample too
        try:
            step()
        except psutil.NoSuchProcess:  # the load ended early, which its runner sees by itself
            return
        except (psycopg.Error, OSError) as error:
            samples.errors.append(f"the sampler of {name} failed: {str(error).splitlines()[0]}")
            return
        due = max(due + every, time.monotonic())


def _sees_other_sessions(connection: psycopg.Connection) -> bool:
    query = sql.queries("measuring/server.sql")["sees_other_sessions"]
    return connection.execute(query).fetchone() == (True,)


def _waits(connection: psycopg.Connection, samples: Samples) -> Callable[[], None]:
    query = sql.queries("measuring/server.sql")["waits"]

    def step() -> None:
        at = datetime.now(UTC)
        for kind, event, active in connection.execute(query, prepare=True):
            row = {"at": at, "wait_event_type": kind, "wait_event": event, "active": active}
            samples.wait_samples.append(row)

    return step


def _pools(console: psycopg.Connection, samples: Samples) -> Callable[[], None]:
    """Waits are a transaction's mean since the last sample, and that of who waits longest now."""
    before: dict[str, dict[str, Any]] = {}

    def step() -> None:
        at = datetime.now(UTC)
        cursor = console.cursor(row_factory=dict_row)
        stats = {row["database"]: row for row in cursor.execute("show stats")}
        for row in cursor.execute("show pools").fetchall():
            pool = row["database"]
            if pool == pgbouncer.CONSOLE:
                continue
            now = stats[pool]
            earlier = before.get(pool, now)
            done = now["total_xact_count"] - earlier["total_xact_count"]
            waited = (now["total_wait_time"] - earlier["total_wait_time"]) / 1000
            samples.pool_samples.append(
                {
                    "at": at,
                    "pool": pool,
                    "waiting": row["cl_waiting"],
                    "in_use": row["sv_active"],
                    "idle": row["sv_idle"] + row["sv_used"],
                    "transactions": done,
                    "wait_ms": waited / done if done else None,
                    "longest_wait_ms": 1000 * row["maxwait"] + row["maxwait_us"] / 1000,
                }
            )
        before.update(stats)

    return step


def _resources(
    connection: psycopg.Connection, clients: Collection[int], samples: Samples
) -> Callable[[], None]:
    server, reason = procfs.postmaster(connection)
    if server is None:
        samples.skipped.append(f"server CPU and memory: {reason}")
    written = _written(connection, samples)
    before = _Usage.now(server, clients)
    began = min(psutil.Process(client).create_time() for client in clients)
    processes = psutil.process_iter(["create_time"])
    older = {p.pid for p in processes if p.info["create_time"] < began} & before.server.keys()

    def step() -> None:
        nonlocal before
        now = _Usage.now(server, clients)
        row = now.since(before)
        if server is not None:
            row["server_memory_mb"] = _memory_mb(now.server.keys(), older)
        row |= written()
        samples.resource_samples.append(row)
        before = now

    return step


def _written(
    connection: psycopg.Connection, samples: Samples
) -> Callable[[], dict[str, float | None]]:
    """Checkpoints that began, and MB of WAL, since it was asked last; none without the right."""
    version = "written" if connection.info.server_version >= 170000 else "written_16"
    query = sql.queries("measuring/server.sql")[version]

    def read() -> tuple[float, ...]:
        row = connection.execute(query).fetchone()
        assert row
        return row

    try:
        before = read()
    except psycopg.errors.InsufficientPrivilege as error:
        samples.skipped.append(f"checkpoints and WAL over time: {str(error).splitlines()[0]}")
        return lambda: {"checkpoints": None, "wal_mb": None}

    def step() -> dict[str, float | None]:
        nonlocal before
        now = read()
        risen: dict[str, float | None] = {
            "checkpoints": now[0] - before[0],
            "wal_mb": (now[1] - before[1]) / 2**20,
        }
        before = now
        return risen

    return step


class _Usage(NamedTuple):
    """CPU seconds used so far: the server's by process, the load's, ours, the machine's."""

    at: float
    server: dict[int, float]
    client: float
    lab: float
    machine: dict[str, float]

    @classmethod
    def now(cls, server: int | None, clients: Collection[int]) -> "_Usage":
        cpus = [psutil.Process(client).cpu_times() for client in clients]
        return cls(
            at=time.monotonic(),
            server={} if server is None else procfs.family(server),
            client=sum(cpu.user + cpu.system for cpu in cpus),
            lab=time.process_time(),
            machine=psutil.cpu_times()._asdict(),
        )

    def since(self, before: "_Usage") -> dict[str, Any]:
        """Percent of one core since then; of the whole machine where the name says so."""
        share = 100 / (self.at - before.at)
        server = sum(cpu - before.server.get(pid, 0.0) for pid, cpu in self.server.items())
        machine = {kind: self.machine[kind] - before.machine[kind] for kind in self.machine}
        total = sum(machine.values()) - machine.get("guest", 0.0) or 1.0
        idle = machine["idle"] + machine.get("iowait", 0.0)
        return {
            "at": datetime.now(UTC),
            "server_cpu_percent": share * server if self.server else None,
            "server_memory_mb": None,
            "server_processes": len(self.server) or None,
            "client_cpu_percent": share * (self.client - before.client),
            "lab_cpu_percent": share * (self.lab - before.lab),
            "machine_cpu_percent": 100 * (1 - idle / total),
            "machine_steal_percent": 100 * machine.get("steal", 0.0) / total,
        }


def _memory_mb(server: Collection[int], older: Collection[int]) -> float:
    """PSS of the server: exact for processes older than the load, scaled for its backends."""
    backends = list(set(server).difference(older))
    drawn = random.sample(backends, min(len(backends), BACKENDS_READ))
    scale = len(backends) / len(drawn) if drawn else 0.0
    exact = sum(map(procfs.proportional_bytes, older))
    return (exact + scale * sum(map(procfs.proportional_bytes, drawn))) / 2**20


class _Reading(NamedTuple):
    counters: dict[tuple[str, str], float]
    statements: dict[tuple[Any, ...], dict[str, Any]] | None


def _read(database: Database) -> _Reading:
    queries = sql.queries("measuring/server.sql")
    with database.connect(autocommit=True) as connection:
        read = connection.execute(queries["counters"])
        counters = {(source, name): value for source, name, value in read}
        statements = None
        installed = connection.execute(queries["has_statements"]).fetchone() == (True,)
        if installed and _sees_other_sessions(connection):
            cursor = connection.cursor(row_factory=dict_row)
            rows = cursor.execute(queries["statements"]).fetchall()
            statements = {(r["role"], r["queryid"], r["toplevel"]): r for r in rows}
    return _Reading(counters, statements)


def _risen(
    before: dict[tuple[Any, ...], dict[str, Any]], after: dict[tuple[Any, ...], dict[str, Any]]
) -> Rows:
    """The statements that were called, with the rise of their figures, dearest first."""
    figures = ("calls", "total_ms", "rows", "blocks", "wal_bytes")
    risen = []
    for key, row in after.items():
        earlier = before.get(key, dict.fromkeys(figures, 0))
        rise = {name: row[name] - earlier[name] for name in figures}
        if rise["calls"] > 0:
            risen.append(row | rise)
    return sorted(risen, key=lambda row: row["total_ms"], reverse=True)[:STATEMENTS_KEPT]
