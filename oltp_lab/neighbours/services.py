"""Servers of other protocols than PostgreSQL's: child processes on the loopback interface.

A service is a module that is run with ``python -m``, calls ``announce`` once it listens, and ends
when its standard input does, so that it never outlives who started it.
"""

import json
import select
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from oltp_lab.errors import LabError
from oltp_lab.servers import processes
from oltp_lab.settings import Settings

HOST = "127.0.0.1"
START_LIMIT = 20.0
"""Seconds until it listens."""


@contextmanager
def running(
    settings: Settings,
    module: str,
    *arguments: str,
    limit: float = 900.0,
    environment: Mapping[str, str] | None = None,
) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Its process and what it announced (``port`` at least), for ``limit`` seconds at most.

    What must not be seen in a list of processes goes into ``environment``.
    Raises LabError when it does not start.
    """
    command = [sys.executable, "-m", module, *arguments]
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as stderr,
        processes.spawn(
            settings,
            command,
            limit=limit,
            environment=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as child,
    ):
        assert child.stdin and child.stdout
        ready, _, _ = select.select([child.stdout], [], [], START_LIMIT)
        told = child.stdout.readline() if ready else ""
        if not told:
            stderr.seek(0)
            said = stderr.read().strip().splitlines()
            raise LabError(f"{module} did not start: {(said or ['no reason given'])[-1]}")
        with child.stdin, child.stdout:
            yield child, json.loads(told)


def announce(port: int, **more: Any) -> None:
    """Tell who started this service that it listens."""
    print(json.dumps({"port": port, **more}), flush=True)


def when_abandoned(end: Callable[[], object]) -> None:
    """Call ``end``, in a thread, once the standard input has ended."""

    def wait() -> None:
        sys.stdin.read()
        end()

    threading.Thread(target=wait, daemon=True).start()
