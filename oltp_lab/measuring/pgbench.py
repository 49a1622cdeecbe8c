"""Driving load with pgbench: one process, raw logs, and no figure from a run that broke.

pgbench counts its duration from before it connects, reports aborted sessions only by its exit
status and on stderr, and ends with success when not one transaction was done. So the window is
ours: it begins when all sessions are connected and warm, and SIGALRM (what pgbench's own timer
sends) ends it.
"""

import os
import re
import resource
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from oltp_lab import sql
from oltp_lab.errors import LabError
from oltp_lab.measuring.samplers import Samples, counting, sampling
from oltp_lab.servers import Database, binary, busy, processes

CONNECT_LIMIT = 120.0
"""Seconds for all sessions to be connected."""
SETTLE_LIMIT = 10
"""Seconds after that for every session to have its turn; then it is measured as it is."""
END_LIMIT = 60.0
"""Seconds for running transactions to end."""
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
    """A pgbench script, the operation that its transactions are, and its share of the load."""

    operation: str
    path: Path
    weight: int = 1


@dataclass(frozen=True)
class Load:
    """One pgbench run. ``rate`` is transactions/s to offer (Poisson), None runs a closed loop.

    ``workload`` and ``arm`` name it in the measurements; ``variables`` are for the scripts.
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

    @property
    def limit(self) -> float:
        """Seconds after which pgbench ends by itself, should nobody end it."""
        return CONNECT_LIMIT + SETTLE_LIMIT + self.warmup + self.seconds + END_LIMIT

    def command(self, log: Path) -> list[str]:
        """pgbench's command line; ``log`` is the beginning of the names of its log files."""
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
    """What came of it: the window (``time.time()``), samples, and why it broke, if it did."""

    began: float = 0.0
    ended: float = 0.0
    aborted: int = 0
    failure: str | None = None
    samples: Samples = field(default_factory=Samples)


def check_room(database: Database, sessions: int) -> None:
    """Raises LabError when so many sessions need more open files or connections than there are."""
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = sessions + _SPARE_FILES
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
    if (missing := sessions + _SPARE_CONNECTIONS - free) > 0:
        raise LabError(
            f"{sessions} sessions do not fit, {max(free, 0)} of the server's {allowed} connections "
            f"are free: set max_connections to {allowed + missing} or configure fewer sessions"
        )


def drive(database: Database, load: Load, log: Path) -> Driven:
    """Run pgbench and sample beside it; its raw logs are left in files named ``log`` and more.

    A run that breaks comes back with its ``failure``, and with whatever it did until then.
    Raises LabError, before anything is started, when the sessions are too many for this machine's
    open files or the server's connections.
    """
    check_room(database, load.sessions)
    driven = Driven()
    said = log.with_suffix(".stderr")
    with (
        busy.busy(),
        counting(database, driven.samples),
        _started(database, load, log, said) as child,
    ):
        _attend(database, load, child, said, driven)
    driven.samples.forget_before(driven.began)
    _judge(load, child.returncode, said.read_text("utf-8", "replace"), driven)
    return driven


def _attend(
    database: Database, load: Load, child: subprocess.Popen, said: Path, driven: Driven
) -> None:
    """Wait for the sessions, let them warm up, measure, and end the run."""
    deadline = time.monotonic() + CONNECT_LIMIT + SETTLE_LIMIT
    while not _settled(said.read_text("utf-8", "replace"), load.sessions):
        if _ends(child, within=0.05):
            return
        if time.monotonic() > deadline:
            driven.failure = f"{load.sessions} sessions took over {CONNECT_LIMIT:.0f} s to connect"
            return
    with sampling(database, child.pid, driven.samples):
        if _ends(child, within=load.warmup):
            return
        driven.began = time.time()
        broke = _ends(child, within=load.seconds)
        driven.ended = time.time()
    if not broke:
        child.send_signal(signal.SIGALRM)
        if not _ends(child, within=END_LIMIT):
            driven.failure = f"transactions were still running {END_LIMIT:.0f} s after the end"


def _settled(said: str, sessions: int) -> bool:
    """All are connected, and as many transactions have ended as there are sessions.

    The first ones wait for a thousand sessions to connect and for each to fill its caches.
    """
    reports = [(float(at), float(tps)) for at, tps in _PROGRESS.findall(said)]
    began = [0.0, *(at for at, _ in reports)]
    done = sum(tps * (at - since) for (at, tps), since in zip(reports, began, strict=False))
    return done >= sessions or len(reports) > SETTLE_LIMIT


def _judge(load: Load, status: int, said: str, driven: Driven) -> None:
    """Decide from all that pgbench says whether the run is whole."""
    aborts = list(_ABORTED.finditer(said))
    driven.aborted = len(aborts)
    if aborts:
        script = aborts[0]["script"] or aborts[0]["script_"]
        operation = load.scripts[int(script)].operation if script else load.arm
        driven.failure = f"{operation}: {aborts[0]['message']}"
    elif status != 0 and driven.failure is None:
        reasons = said.partition("error: ")[2].strip().splitlines()
        driven.failure = f"{load.arm}: {(reasons or [f'pgbench ended with status {status}'])[0]}"
    if driven.failure is None and driven.samples.errors:
        driven.failure = driven.samples.errors[0]


@contextmanager
def _started(
    database: Database, load: Load, log: Path, said: Path
) -> Iterator[subprocess.Popen[bytes]]:
    environment = {
        **database.environment(load.role),
        "PGAPPNAME": f"oltp_lab {load.workload}",
        "LC_ALL": "C",  # its messages are read
    }
    with said.open("wb") as stderr, ExitStack() as stack:
        with _open_files(load.sessions + _SPARE_FILES):
            child = stack.enter_context(
                processes.spawn(
                    database.server.settings,
                    load.command(log),
                    limit=load.limit + END_LIMIT,
                    environment=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=stderr,
                )
            )
        yield child


def _ends(child: subprocess.Popen, within: float) -> bool:
    try:
        child.wait(within)
    except subprocess.TimeoutExpired:
        return False
    return True


@contextmanager
def _open_files(needed: int) -> Iterator[None]:
    """Let children that are started in the block have so many open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
