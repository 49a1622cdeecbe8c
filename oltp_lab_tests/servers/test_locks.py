"""Locks between processes: they name their holder and are freed by ``kill -9``."""

import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from oltp_lab.errors import LabError
from oltp_lab.servers import locks
from oltp_lab.settings import Settings
from oltp_lab_tests.servers.helpers import LIMIT, python

HOLDER = """
from oltp_lab import settings
from oltp_lab.servers import locks
with locks.held(settings.load(), "warehouse", holder="analytics_sync (run 1234)"):
    print("held", flush=True)
    input()
"""


def test_names_its_holder_and_is_freed_by_kill(
    tmp_path: Path, start: Callable[[list[str]], subprocess.Popen[str]]
) -> None:
    settings = Settings(tmp_path, "smoke")
    holder = start(python(tmp_path, HOLDER))
    assert holder.stdout and holder.stdout.readline() == "held\n"
    named = rf"warehouse is in use by analytics_sync \(run 1234\), process {holder.pid}, since 2"
    with (
        pytest.raises(LabError, match=named),
        locks.held(settings, "warehouse", holder="me", timeout=0.1),
    ):
        pass
    with locks.held(settings, "load", holder="me", timeout=0):
        pass
    holder.kill()
    holder.wait(LIMIT)
    with locks.held(settings, "warehouse", holder="me", timeout=1):
        assert '"me"' in (settings.locks / "warehouse.lock").read_text()


def test_threads_wait_for_each_other(tmp_path: Path) -> None:
    settings, inside, most = Settings(tmp_path, "smoke"), [0], [0]

    def enter() -> None:
        with locks.held(settings, "load", holder="a thread", timeout=30):
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            threading.Event().wait(0.01)
            inside[0] -= 1

    threads = [threading.Thread(target=enter) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    assert most == [1]
