"""Work done beside a load, a piece at a time: a script's statements, or a command's turn."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psycopg

from oltp_lab import sql
from oltp_lab.errors import LabError
from oltp_lab.measuring.scripts import Script
from oltp_lab.servers import Database, processes

ENDS_WITHIN = 900.0
"""Seconds that a command may live."""


class Worker(Protocol):
    """Does a piece of work and tells of it; times are ``time.time()``.

    Always told are ``began``, ``ended`` and ``snapshot_at``, the moment whose data was there at the
    end; by a command also ``rows``, ``cpu_s`` and ``memory_mb``.
    """

    def work(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Asking:
    """A session that runs a script's pipeline in a transaction."""

    connection: psycopg.Connection
    script: Script

    def work(self) -> dict[str, Any]:
        began = time.time()
        drawn = self.script.drawn()
        *before, last = self.script.statements
        with self.connection.transaction():
            for statement in before:
                self.connection.execute(statement, drawn)
            rows = len(self.connection.execute(last, drawn).fetchall())
        return {"began": began, "snapshot_at": began, "ended": time.time(), "rows": rows}


@dataclass(frozen=True)
class Command:
    """A child process that does a piece for each line, and answers with a line of JSON."""

    child: subprocess.Popen[str]
    stderr: Path

    def work(self) -> dict[str, Any]:
        """Raises LabError, with what it said last, when it has ended instead."""
        answer = ""
        if self.child.stdin and self.child.stdout:
            try:
                print(file=self.child.stdin, flush=True)
                answer = self.child.stdout.readline()
            except BrokenPipeError:
                pass
        if not answer:
            said = self.stderr.read_text("utf-8", "replace").strip().splitlines()
            raise LabError(f"what runs beside the load ended: {said[-1] if said else 'no reason'}")
        return json.loads(answer)


@contextmanager
def asking(
    database: Database, role: str, script: str, variables: Mapping[str, int | float]
) -> Iterator[Asking]:
    """A role's session for a script below ``sql/``. Raises LabError when it is no pipeline."""
    read = Script.read(sql.path(script), variables)
    with database.connect(role, autocommit=True) as connection:
        yield Asking(connection, read)


@contextmanager
def commanding(database: Database, arguments: list[str]) -> Iterator[Command]:
    """A child of this Python; it is told to end after the block, and killed if it does not."""
    with tempfile.TemporaryDirectory(prefix="oltp_lab-") as folder:
        stderr = Path(folder) / "stderr"
        with (
            stderr.open("wb") as file,
            processes.spawn(
                database.server.settings,
                [sys.executable, *arguments],
                limit=ENDS_WITHIN,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
            ) as child,
        ):
            try:
                yield Command(child, stderr)
            finally:
                for pipe in filter(None, (child.stdin, child.stdout)):
                    with suppress(BrokenPipeError):
                        pipe.close()
