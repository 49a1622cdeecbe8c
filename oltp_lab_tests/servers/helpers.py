"""Processes of the lab with a home of their own, and what runs of a cluster."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from oltp_lab import servers
from oltp_lab.servers import embedded
from oltp_lab.settings import Settings

ROOT = Path(__file__).parents[2]
LIMIT = 60
PYTHONPATH = f"{ROOT}:{Path(psutil.__file__).parents[1]}"
_AS_NOBODY = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
IS_ROOT = os.geteuid() == 0

# A user of the neighbours' server: says the postmaster's pid, then waits for a line.
USER = """
from oltp_lab import servers, settings
database = servers.neighbours(settings.load(), "content")
database.connect().close()
print(database.server.postmaster_pid, flush=True)
input()
"""


def python(home: Path, program: str, **variables: str) -> list[str]:
    """The command of a Python process of the lab that runs ``program``."""
    variables = {"OLTP_LAB_HOME": str(home), "PYTHONPATH": PYTHONPATH, **variables}
    pairs = [f"{name}={value}" for name, value in variables.items()]
    return ["env", "PYTHONDONTWRITEBYTECODE=1", *pairs, sys.executable, "-c", program]


def as_ordinary_user(command: list[str]) -> list[str]:
    """The command of ``python()`` for an ordinary user; skips the test where there is no way."""
    if not IS_ROOT:
        return command
    system = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    for interpreter in (sys.executable, system):  # root's own may be closed to others
        found = [interpreter if part == sys.executable else part for part in command]
        if (
            shutil.which("setpriv")
            and run([*_AS_NOBODY, "env", interpreter, "-c", ""]).returncode == 0
        ):
            return [*_AS_NOBODY, *found]
    return pytest.skip("other accounts can run neither this Python nor the system's")


def run(command: list[str], text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, input=text, capture_output=True, text=True, timeout=LIMIT, check=False
    )


def command(home: Path, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """``python -m oltp_lab.servers ARGUMENTS``, with ``text`` on its standard input."""
    program = "from oltp_lab.servers.__main__ import main; main()"
    return run([*python(home, program), *arguments], text)


def cluster(home: Path, name: str = "neighbours") -> embedded.Cluster:
    return servers.cluster(Settings(home, "smoke"), name)


def processes_of(cluster: embedded.Cluster) -> list[int]:
    return [p.pid for p in psutil.process_iter() if embedded.is_ours(cluster, p.pid)]


def wait(done: Callable[[], object], limit: float = 10) -> None:
    deadline = time.monotonic() + limit
    while not done():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)
