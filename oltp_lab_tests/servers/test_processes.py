"""Children do not outlive the lab, and what a kill left behind is ended by its pid."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from oltp_lab.errors import LabError
from oltp_lab.servers import processes
from oltp_lab.settings import Settings
from oltp_lab_tests.servers.helpers import LIMIT, USER, cluster, command, processes_of, python, wait

Start = Callable[[list[str]], subprocess.Popen[str]]
SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]

SPAWNER = f"""
from oltp_lab import settings
from oltp_lab.servers import processes
with processes.spawn(settings.load(), {SLEEP!r}, limit=60) as child:
    print(child.pid, flush=True)
    input()
"""

# Like `dagster dev`: a user of a server that starts another, with a process in between.
PARENT = f"""
import subprocess, sys
from oltp_lab import servers, settings
servers.neighbours(settings.load(), "content")
between = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
subprocess.run([sys.executable, "-c", between, {USER!r}])
"""


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_child_ends_with_the_block(tmp_path: Path) -> None:
    settings = Settings(tmp_path, "smoke")
    with processes.spawn(settings, SLEEP, limit=LIMIT) as child:
        assert (tmp_path / "processes" / f"{child.pid}.json").exists()
        assert processes.end_orphans(settings) == [], "its owner lives"
    assert child.returncode == -signal.SIGTERM
    assert not list((tmp_path / "processes").iterdir())


def test_a_child_heeds_the_first_signal_though_we_ignore_it(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with processes.spawn(Settings(tmp_path, "smoke"), SLEEP, limit=LIMIT) as child:
            pass
    finally:
        signal.signal(signal.SIGTERM, before)
    assert child.returncode == -signal.SIGTERM


def test_time_limit(tmp_path: Path) -> None:
    with (
        pytest.raises(LabError, match=r"was ended: it ran longer than 0\.2 s"),
        processes.spawn(Settings(tmp_path, "smoke"), SLEEP, limit=0.2) as child,
    ):
        child.wait(LIMIT)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel does this on Linux")
def test_child_dies_when_its_maker_is_killed(tmp_path: Path, start: Start) -> None:
    maker = start(python(tmp_path, SPAWNER))
    assert maker.stdout
    pid = int(maker.stdout.readline())
    maker.kill()
    maker.wait(LIMIT)
    wait(lambda: gone(pid))


def test_next_use_ends_the_orphans(home: Path, start: Start) -> None:
    parent = start(python(home, PARENT))
    assert parent.stdout
    postmaster = int(parent.stdout.readline())
    left = psutil.Process(parent.pid).children(recursive=True)
    assert len(left) == 2
    parent.kill()
    wait(lambda: gone(parent.pid))
    assert not any(gone(process.pid) for process in left)
    result = command(home, "psql", text="select 'at work'")
    assert "at work" in result.stdout, result.stderr
    assert all(gone(process.pid) for process in left)
    assert psutil.pid_exists(postmaster), "psql uses the other server"
    assert "neighbours" in command(home, "down").stdout
    assert not processes_of(cluster(home))


def test_down_ends_users_and_nothing_else(home: Path, start: Start) -> None:
    user, bystander = start(python(home, USER)), start(SLEEP)
    assert user.stdout and user.stdout.readline()
    folder = home / "processes"
    note = json.loads((folder / f"{user.pid}.json").read_text())
    # Its pid was that of another process, which began earlier.
    note["process"] = {"pid": bystander.pid, "create_time": note["process"]["create_time"] - 60}
    (folder / f"{bystander.pid}.json").write_text(json.dumps(note))
    result = command(home, "down")
    assert result.stdout.startswith(f"ended: {user.pid} ")
    assert user.wait(LIMIT) == -signal.SIGTERM
    assert not gone(bystander.pid)
    assert not processes_of(cluster(home))
    again = command(home, "down")
    assert (again.returncode, again.stdout) == (0, "nothing was running\n")


def test_up_keeps_the_servers(home: Path) -> None:
    assert "neighbours runs: psql" in command(home, "up").stdout
    pid = processes_of(cluster(home))
    assert pid
    tenant = "018f0000-0000-7000-8000-000000000001"
    text = "select current_database(), current_setting('nile.tenant_id');"
    result = command(home, "psql", "--tenant", tenant, text=text)
    assert f"oltp_lab         | {tenant}" in result.stdout
    assert command(home, "psql", text="select 1/0").returncode == 3
    role = command(home, "psql", "--role", "lab_app", text="select 1")
    assert role.returncode == 1
    assert role.stderr.startswith("Error: cannot connect") and role.stderr.count("\n") == 1
    assert processes_of(cluster(home)) == pid
    command(home, "down")
    assert not processes_of(cluster(home)) and not processes_of(cluster(home, "oltp"))
    assert not list((home / "processes").iterdir())
