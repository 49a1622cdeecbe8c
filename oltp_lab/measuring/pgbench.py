"""Driving load with pgbench: a process a role, raw logs, and no figure from a run that broke.

pgbench counts its duration from before it connects, reports aborted sessions only by its exit
status and on stderr, and ends with success when not one transaction was done. So the window is
ours: it begins when all sessions are connected and warm, and SIGALRM (what pgbench's own timer
sends) ends it.
"""

import json
import os
import re
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import psycopg

from oltp_lab import sql
from oltp_lab.errors import LabError
from oltp_lab.measuring import pooled
from oltp_lab.measuring.samplers import Samples, counting, sampling
from oltp_lab.servers import Database, binary, busy, pgbouncer, processes

CONNECT_LIMIT = 120.0
"""Seconds for all sessions to be connected."""
SETTLE_LIMIT = 10
"""Seconds after that for every session to have its turn; then it is measured as it is."""
WAYS = ("direct", "pgbouncer", "psycopg_pool")
"""How sessions reach the server: each with a connection of its own, or sharing a pool of them."""
MORE_LIMIT = 30.0
"""Seconds more to measure, where somebody follows the load and has not seen enough."""
END_LIMIT = 60.0
"""Seconds for running transactions to end."""
CANCEL_LIMIT = 3.0
"""The same, when nobody wants to wait."""
_SPARE_FILES = 64
_SPARE_CONNECTIONS = 5  # samplers, and whoever looks on

_PROGRESS = re.compile(r"^progress: ([0-9.]+) s, ([0-9.]+) tps", re.MULTILINE)
"""Said once a second, from when all sessions are connected."""
_ABORTED = re.compile(
    r"client \d+ (?:script (?P<script>\d+) )?aborted"
    r"(?: in command \d+ (?:query \d+|\(\w+\) of script (?P<script_>\d+)))?[:;] (?P<message>.*)"
)


@dataclass(frozen=True)
class Script:
    """A pgbench script, the operation that its transactions are, its share of the load, its role.

    Without a role it is run by that of the load.
    """

    operation: str
    path: Path
    weight: int = 1
    role: str | None = None


@dataclass(frozen=True)
class Load:
    """A load run. ``rate`` is transactions/s to offer (Poisson), None runs a closed loop.

    ``workload`` and ``arm`` name it in the measurements; ``variables`` are for the scripts;
    ``through`` is one of WAYS: but for "direct", ``pool`` connections are shared by the sessions.
    """

    workload: str
    arm: str
    scripts: Sequence[Script]
    role: str
    sessions: int
    seconds: float
    warmup: float = 1.0
    threads: int = field(default_factory=lambda: os.cpu_count() or 1)
    rate: float | None = None
    latency_limit_ms: float | None = None
    max_tries: int = 10
    variables: Mapping[str, str | int | float] = field(default_factory=dict)
    through: str = "direct"
    pool: int | None = None

    def parts(self) -> list[Self]:
        """A load for each role, with its share by weight of sessions, connections and rate.

        Raises LabError when there are fewer sessions, or connections, than roles.
        """
        by_role: dict[str, list[Script]] = {}
        for script in self.scripts:
            by_role.setdefault(script.role or self.role, []).append(script)
        weights = [sum(script.weight for script in scripts) for scripts in by_role.values()]
        sessions = self._shared("sessions", self.sessions, weights)
        pools = [None] * len(weights)
        if self.pool is not None:
            pools = self._shared("connections", self.pool, weights)
        return [
            replace(
                self,
                role=role,
                scripts=scripts,
                sessions=count,
                pool=pool,
                rate=None if self.rate is None else self.rate * weight / sum(weights),
            )
            for (role, scripts), weight, count, pool in zip(
                by_role.items(), weights, sessions, pools, strict=True
            )
        ]

    def _pooled(self, log: Path) -> pooled.Job:
        if self.rate is None:
            raise LabError(
                f"the arm {self.arm} of {self.workload} goes through psycopg_pool: "
                "configure a rate for it, as a closed loop would measure Python"
            )
        return pooled.Job(
            scripts=[(str(script.path), script.weight) for script in self.scripts],
            variables=dict(self.variables),
            sessions=self.sessions,
            pool=self.pool or 1,
            rate=self.rate,
            seconds=self.limit,
            max_tries=self.max_tries,
            log=str(log),
        )

    def _shared(self, what: str, total: int, weights: Sequence[int]) -> list[int]:
        """One each, the others by weight: whole numbers by the largest remainders."""
        spare = total - len(weights)
        if spare < 0:
            raise LabError(
                f"the arm {self.arm} of {self.workload} has {total} {what} for {len(weights)} "
                "roles: configure one for each at least"
            )
        exact = [spare * weight / sum(weights) for weight in weights]
        shares = [1 + int(share) for share in exact]
        largest = sorted(range(len(exact)), key=lambda i: int(exact[i]) - exact[i])
        for i in largest[: total - sum(shares)]:
            shares[i] += 1
        return shares

    @property
    def limit(self) -> float:
        """Seconds after which pgbench ends by itself, should nobody end it."""
        return CONNECT_LIMIT + SETTLE_LIMIT + self.warmup + self.seconds + MORE_LIMIT + END_LIMIT

    def command(self, log: Path) -> list[str]:
        """The command line for a load of one role; names of its logs begin with ``log``."""
        if self.through == "psycopg_pool":
            return self._pooled(log).command()
        command = [str(binary("pgbench")), "--no-vacuum", "--protocol=extended", "--log"]
        command += [f"--log-prefix={log}", "--failures-detailed", "--exit-on-abort"]
        command += [f"--max-tries={self.max_tries}", f"--time={self.limit:.0f}", "--progress=1"]
        command += [f"--client={self.sessions}", f"--jobs={min(self.threads, self.sessions)}"]
        if self.rate is not None:
            command.append(f"--rate={self.rate}")
        if self.latency_limit_ms is not None:
            command.append(f"--latency-limit={self.latency_limit_ms}")
        command += [f"--define={name}={value}" for name, value in self.variables.items()]
        return command + [f"--file={script.path}@{script.weight}" for script in self.scripts]


@dataclass
class Driven:
    """What came of it: the window (``time.time()``), samples, and why it broke, if it did.

    ``started`` says whether there was a session at all; ``calibration_tps`` is how fast the server
    was right before, by ``calibration``. As long as it is not ``enough``, the window goes on for up
    to MORE_LIMIT beyond the load's seconds.
    """

    started: bool = False
    calibration_tps: float | None = None
    began: float = 0.0
    ended: float = 0.0
    aborted: int = 0
    failure: str | None = None
    samples: Samples = field(default_factory=Samples)
    enough: Callable[[], bool] = lambda: True


@dataclass(frozen=True)
class _Process:
    """A running pgbench with its part of the load, what it says, and what its logs begin with."""

    load: Load
    child: subprocess.Popen[bytes]
    stderr: Path
    log: Path

    def said(self) -> str:
        return self.stderr.read_text("utf-8", "replace")

    def settled(self) -> bool:
        """All are connected, and as many transactions have ended as there are sessions.

        The first ones wait for a thousand sessions to connect and for each to fill its caches.
        """
        if self._logged() >= self.load.sessions:  # sooner than it is said, where there are many
            return True
        reports = [(float(at), float(tps)) for at, tps in _PROGRESS.findall(self.said())]
        began = [0.0, *(at for at, _ in reports)]
        done = sum(tps * (at - since) for (at, tps), since in zip(reports, began, strict=False))
        return done >= self.load.sessions or len(reports) > SETTLE_LIMIT

    def _logged(self) -> int:
        """Transactions in the raw logs, which are written a block at a time."""
        logs = self.log.parent.glob(f"{self.log.name}.*")
        return sum(log.read_bytes().count(b"\n") for log in logs)


def check_room(database: Database, sessions: int, connections: int | None = None) -> None:
    """Raises LabError when so many sessions need more open files or connections than there are.

    ``connections`` are those to the server, where they are fewer than sessions.
    """
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    connections = sessions if connections is None else connections
    needed = sessions + _SPARE_FILES + (connections if connections < sessions else 0)
    if files != resource.RLIM_INFINITY and files < needed:
        raise LabError(
            f"{sessions} sessions need {needed} open files, the limit is {files}: "
            f"raise it (ulimit -Hn {needed}) or configure fewer sessions"
        )
    query = sql.queries("measuring/server.sql")["free_connections"]
    with database.connect(autocommit=True) as connection:
        row = connection.execute(query).fetchone()
    assert row
    allowed, free = row
    if (missing := connections + _SPARE_CONNECTIONS - free) > 0:
        raise LabError(
            f"{connections} sessions do not fit, {max(free, 0)} of the server's {allowed} "
            f"connections are free: set max_connections to {allowed + missing} or configure fewer "
            "sessions"
        )


def drive(database: Database, load: Load, log: Path, driven: Driven) -> None:
    """Run pgbench and sample beside it; its raw logs are left in files named ``log``.PART.* .

    ``driven`` is filled in, also when the run breaks (``failure``) or is cancelled.
    Raises LabError, before anything is started, when the sessions are too many for this machine's
    open files or the server's connections, or there is no PgBouncer where one is asked for.
    """
    check_room(database, load.sessions, load.pool)
    with busy.busy(), counting(database, driven.samples), ExitStack() as stack:
        reach, pooler = stack.enter_context(_way(database, load))
        parts = load.parts()
        driven.started = True
        running = [
            stack.enter_context(_started(database, part, log.with_suffix(f".{number}"), reach))
            for number, part in enumerate(parts)
        ]
        _attend(database, load, running, driven, pooler)
        for number, process in enumerate(running):
            _judge(process, driven)
            driven.samples.pool_samples.extend(_pool_samples(log.with_suffix(f".{number}_pool")))
    driven.samples.forget_before(driven.began)
    if driven.failure is None and driven.samples.errors:
        driven.failure = driven.samples.errors[0]


@contextmanager
def _way(
    database: Database, load: Load
) -> Iterator[tuple[Callable[[str], dict[str, str]], pgbouncer.Bouncer | None]]:
    """The environment by role in which pgbench reaches the server, and the PgBouncer between."""
    if load.through != "pgbouncer":
        yield database.environment, None
        return
    pools = {part.role: pgbouncer.Pool(part.role, part.pool or 1) for part in load.parts()}
    limit = load.limit + END_LIMIT
    with pgbouncer.running(database, pools, limit=limit, clients=load.sessions) as bouncer:
        yield bouncer.environment, bouncer


def _attend(
    database: Database,
    load: Load,
    running: Sequence[_Process],
    driven: Driven,
    pooler: pgbouncer.Bouncer | None,
) -> None:
    """Wait for the sessions, let them warm up, measure, and end the run."""
    deadline = time.monotonic() + CONNECT_LIMIT + SETTLE_LIMIT
    while not all(process.settled() for process in running):
        if _any_ends(running, within=0.05):
            return _end(running, driven)
        if time.monotonic() > deadline:
            driven.failure = f"{load.sessions} sessions took over {CONNECT_LIMIT:.0f} s to connect"
            return None
    clients = [process.child.pid for process in running]
    try:
        with sampling(database, clients, driven.samples, pooler):
            if not _any_ends(running, within=load.warmup):
                driven.began = time.time()
                try:
                    if not _any_ends(running, within=load.seconds):
                        _go_on(running, driven)
                finally:
                    driven.ended = time.time()
    except (psycopg.Error, LabError) as error:  # a server that died just now
        driven.failure = f"the samplers could not connect: {str(error).splitlines()[0]}"
    except BaseException:  # cancelled: pgbench writes the end of its logs when it ends by itself
        _end(running, driven, CANCEL_LIMIT)
        raise
    return _end(running, driven)


def _any_ends(running: Sequence[_Process], within: float) -> bool:
    """Wait for the first to end, which it does not by itself unless it broke."""
    deadline = time.monotonic() + within
    while all(process.child.poll() is None for process in running):
        if (left := deadline - time.monotonic()) <= 0:
            return False
        time.sleep(min(left, 0.02))
    return True


def _go_on(running: Sequence[_Process], driven: Driven) -> None:
    """Measure until it is enough."""
    deadline = time.monotonic() + MORE_LIMIT
    while not driven.enough() and time.monotonic() < deadline:
        if _any_ends(running, within=0.05):
            return


def _end(running: Sequence[_Process], driven: Driven, limit: float = END_LIMIT) -> None:
    """End what still runs as pgbench's own timer does."""
    for process in running:
        if process.child.poll() is None:
            process.child.send_signal(signal.SIGALRM)
    deadline = time.monotonic() + limit
    for process in running:
        try:
            process.child.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            driven.failure = f"transactions were still running {limit:.0f} s after the end"


def _judge(process: _Process, driven: Driven) -> None:
    """Decide from all that a pgbench says whether its part is whole."""
    said, status = process.said(), process.child.poll()
    aborts = list(_ABORTED.finditer(said))
    first = driven.aborted == 0
    driven.aborted += len(aborts)
    if aborts and first:
        script = aborts[0]["script"] or aborts[0]["script_"]
        operation = process.load.scripts[int(script)].operation if script else process.load.arm
        driven.failure = f"{operation}: {aborts[0]['message']}"
    elif status and driven.failure is None:
        reasons = said.partition("error: ")[2].strip().splitlines()
        reason = (reasons or [f"pgbench ended with status {status}"])[0]
        driven.failure = f"{process.load.arm}: {reason}"


def _pool_samples(file: Path) -> Iterator[dict[str, Any]]:
    """What a ``pooled`` client has written of its pool."""
    for line in file.read_text("utf-8").splitlines() if file.exists() else ():
        sample = json.loads(line)
        yield sample | {"at": datetime.fromtimestamp(sample["at"], UTC), "pool": "psycopg_pool"}


@contextmanager
def _started(
    database: Database, load: Load, log: Path, reach: Callable[[str], dict[str, str]]
) -> Iterator[_Process]:
    stderr = log.with_suffix(f"{log.suffix}_stderr")
    environment = {
        **reach(load.role),
        "PGAPPNAME": f"oltp_lab {load.workload}",
        "LC_ALL": "C",  # its messages are read
    }
    with (
        stderr.open("wb") as file,
        processes.spawn(
            database.server.settings,
            load.command(log),
            limit=load.limit + END_LIMIT,
            environment=environment,
            open_files=load.sessions + _SPARE_FILES,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=file,
        ) as child,
    ):
        yield _Process(load, child, stderr, log)
