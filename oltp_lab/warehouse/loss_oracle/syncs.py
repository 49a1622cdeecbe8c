"""Syncs and refreshes, each in a process of its own, that may be killed at any boundary.

``python -m oltp_lab.warehouse.loss_oracle.syncs`` takes orders and answers them, a line each; it
has everything imported, and forks a child for each order.
"""

import json
import mmap
import os
import random
import re
import signal
import subprocess
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, NoReturn, cast

import duckdb
import pandas  # noqa: F401 - DuckDB imports it for its first value: here, and not in each child
import psycopg

from oltp_lab import settings as lab_settings
from oltp_lab.servers import Database, Server, processes
from oltp_lab.warehouse import extraction, marts
from oltp_lab.warehouse.tables import MIRRORED, describe

PROGRAM = (sys.executable, "-m", "oltp_lab.warehouse.loss_oracle.syncs")
WRITTEN = ("tenants", "campaigns", "steps", "leads", "enrollments", "events")
"""The mirrored tables that the writers write; the others are synced first and last only."""

_LIMIT_S = 60.0
"""Seconds that an attempt may take."""
_NOISE = re.compile(r'--[^\n]*\n|"')
_WRITES = re.compile(
    r"(?:create or replace (?:temp )?(?:table|view)|create (?:schema|table) if not exists|update|"
    r"delete from|insert (?:or replace )?into|comment on (?:table|column)|drop table if exists) "
    r"[\w.]+"
)
_READS = re.compile(r"\bfrom [\w.]+")


@dataclass(frozen=True)
class Attempt:
    """A sync of the written tables, or of ``every`` one, and a refresh of the marts.

    Both are in full with ``full_refresh``. It is killed before the ``nth`` statement at
    ``boundary``, or ``after_s`` seconds from there; without a boundary, from its beginning.
    """

    every: bool = False
    full_refresh: bool = False
    boundary: str | None = None
    nth: int = 1
    after_s: float | None = None


@dataclass(frozen=True)
class Outcome:
    """How it ended: ``killed``, ``whole`` or ``failed``, the latter with its error.

    ``at`` is the boundary that it passed last; ``passed`` how often it passed each, if whole.
    """

    ended: str
    at: str
    passed: dict[str, int] = field(default_factory=dict)
    error: str = ""


class Syncs:
    """The program that makes the attempts, one at a time."""

    def __init__(self, orders: IO[str], answers: IO[str]) -> None:
        self._orders, self._answers = orders, answers

    def begin(self, attempt: Attempt) -> None:
        self._orders.write(json.dumps(asdict(attempt)) + "\n")
        self._orders.flush()

    def end(self) -> Outcome:
        """Of the attempt that was begun."""
        return Outcome(**json.loads(self._answers.readline()))


@contextmanager
def started(
    database: Database, warehouse: Path, program: Sequence[str], limit: float
) -> Iterator[Syncs]:
    """The program, that syncs the database into a DuckDB file; gone after the block."""
    arguments = [*program, database.server.conninfo, database.name, str(warehouse)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with processes.spawn(database.server.settings, arguments, limit=limit, **pipes) as child:
        assert child.stdin and child.stdout
        with child.stdin, child.stdout:
            yield Syncs(child.stdin, child.stdout)


def boundary(statement: str) -> str:
    """What a statement does to what, in a few words."""
    text = " ".join(_NOISE.sub("", statement).split())
    if writes := _WRITES.match(text):
        return writes[0]
    reads = _READS.search(text)
    return reads[0] if reads else text.partition(" ")[0]


class Steps:
    """Counts what is about to happen, notes it where the parent reads it, and kills on order."""

    def __init__(self, attempt: Attempt, note: mmap.mmap) -> None:
        self._attempt, self._note = attempt, note
        self.passed: Counter[str] = Counter()

    def __call__(self, name: str) -> None:
        self.passed[name] += 1
        self._note[:128] = name.encode().ljust(128)[:128]
        if (name, self.passed[name]) == (self._attempt.boundary, self._attempt.nth):
            kill(self._attempt.after_s or 0)


def kill(after_s: float) -> None:
    """End this process like ``kill -9`` does: nothing of it runs any more."""
    if after_s > 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, after_s)
    else:
        os.kill(os.getpid(), signal.SIGKILL)


class Watched:
    """A connection to the warehouse whose statements are steps."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, step: Callable[[str], None]) -> None:
        self._connection, self._step = connection, step

    def execute(self, statement: str, *values: Any) -> duckdb.DuckDBPyConnection:
        self._step(boundary(statement))
        return self._connection.execute(statement, *values)

    def sql(self, statement: str) -> duckdb.DuckDBPyRelation:
        self._step(boundary(statement))
        return self._connection.sql(statement)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


@dataclass(frozen=True)
class WatchedDatabase(Database):
    """An OLTP database whose sessions are steps; settling is one."""

    step: Callable[[str], None] = print

    def connect(self, *arguments: Any, **keywords: Any) -> psycopg.Connection:
        self.step("session with the OLTP")
        return super().connect(*arguments, **keywords)


def attempt_once(attempt: Attempt, database: Database, warehouse: str, step: Steps) -> None:
    """One sync and one refresh, unless they are killed."""
    watched = WatchedDatabase(database.server, database.name, step)
    tables = [table for table in MIRRORED if attempt.every or table.name in WRITTEN]
    step("open")
    with duckdb.connect(warehouse) as file:
        connection = cast(duckdb.DuckDBPyConnection, Watched(file, step))
        descriptions = describe(watched, tables)
        extraction.sync(connection, watched, descriptions, full_refresh=attempt.full_refresh)
        marts.refresh(connection, full_refresh=attempt.full_refresh)
        step("close")  # which writes the checkpoint
    step("end")


def main() -> None:
    conninfo, name, warehouse = sys.argv[1:]
    server = Server("throwaway", conninfo, 0, "", lab_settings.load())
    note = mmap.mmap(-1, 2**16)
    for order in sys.stdin:
        attempt = Attempt(**json.loads(order))
        outcome = _forked(attempt, Database(server, name), warehouse, note)
        print(json.dumps(asdict(outcome)), flush=True)


def _forked(attempt: Attempt, database: Database, warehouse: str, note: mmap.mmap) -> Outcome:
    note[:] = bytes(len(note))
    child = os.fork()
    if not child:
        _child(attempt, database, warehouse, note)
    _, status = os.waitpid(child, 0)
    at = _read(note, 0, 128)
    if os.WIFSIGNALED(status):
        return Outcome("killed", at)
    if os.WEXITSTATUS(status):
        return Outcome("failed", at, error=_read(note, 128, len(note)))
    return Outcome("whole", at, passed=json.loads(_read(note, 128, len(note))))


def _child(attempt: Attempt, database: Database, warehouse: str, note: mmap.mmap) -> NoReturn:
    random.seed()
    kill(_LIMIT_S if attempt.boundary or attempt.after_s is None else attempt.after_s)
    step, status = Steps(attempt, note), 1
    try:
        attempt_once(attempt, database, warehouse, step)
        left, status = json.dumps(step.passed), 0
    except BaseException:  # noqa: BLE001 - it must not return into the parent's loop
        left = traceback.format_exc()
    text = left.encode()[: len(note) - 129]
    note[128 : 128 + len(text)] = text
    os._exit(status)


def _read(note: mmap.mmap, begin: int, end: int) -> str:
    return note[begin:end].rstrip(b"\0 ").decode(errors="replace")


if __name__ == "__main__":
    main()
