"""The embedded clusters start on first use, survive kills, and leave nothing running."""

import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from oltp_lab.errors import LabError
from oltp_lab.servers import embedded
from oltp_lab_tests.servers.helpers import (
    IS_ROOT,
    LIMIT,
    USER,
    as_ordinary_user,
    cluster,
    processes_of,
    python,
    run,
    wait,
)

Start = Callable[[list[str]], subprocess.Popen[str]]

REVIVED = """
import os, signal, threading
from oltp_lab import servers, settings
from oltp_lab.servers import embedded
database = servers.neighbours(settings.load(), "content")
with database.connect() as session:
    session.execute("create table if not exists kept as select 1 as x")
busy = database.connect()
def compute():
    try:
        busy.execute("select count(*) from generate_series(1, 3000000000)")
    except Exception:
        pass
threading.Thread(target=compute, daemon=True).start()
with database.connect(autocommit=True) as session:
    while not session.execute(
        "select 1 from pg_stat_activity where query like 'select count%'"
        " and pid <> pg_backend_pid()").fetchone():
        pass
os.kill(database.server.postmaster_pid, signal.SIGKILL)
while embedded.postmaster(database.server.cluster):
    pass
with database.connect() as session:
    print(session.execute("select x from kept").fetchone()[0])
"""

FORKED = """
import os, sys
from oltp_lab import servers, settings
now = settings.load()
servers.neighbours(now, "content")
if os.fork() == 0:
    servers.neighbours(now, "content")
    print("child", flush=True)
    sys.stdin.readline()
    with servers.neighbours(now, "content").connect() as session:
        print(session.execute("select 'served'").fetchone()[0], flush=True)
    sys.exit()
"""

THREADS = """
from concurrent.futures import ThreadPoolExecutor
from oltp_lab import servers, settings
now = settings.load()
with ThreadPoolExecutor(8) as pool:
    found = list(pool.map(lambda _: servers.neighbours(now, "content"), range(8)))
print(len({database.server.postmaster_pid for database in found}))
"""


def test_stops_with_its_user(home: Path) -> None:
    result = run(python(home, USER), "\n")
    assert result.returncode == 0, result.stderr
    assert int(result.stdout)
    assert not processes_of(cluster(home))
    assert not cluster(home).socket.exists()
    assert stat.S_IMODE(cluster(home).data.stat().st_mode) == 0o700


def test_stays_for_the_second_user(home: Path, start: Start) -> None:
    first, second = start(python(home, USER)), start(python(home, USER))
    pids = {int(child.stdout.readline()) for child in (first, second) if child.stdout}
    assert len(pids) == 1
    first.communicate("\n", timeout=LIMIT)
    assert embedded.postmaster(cluster(home)) in pids
    second.communicate("\n", timeout=LIMIT)
    assert not processes_of(cluster(home))


def test_killed_user_leaves_a_server_that_the_next_one_stops(home: Path, start: Start) -> None:
    killed = start(python(home, USER))
    assert killed.stdout
    pid = int(killed.stdout.readline())
    killed.kill()
    killed.wait(LIMIT)
    assert embedded.postmaster(cluster(home)) == pid
    assert int(run(python(home, USER), "\n").stdout) == pid
    assert not processes_of(cluster(home))


def test_killed_postmaster_is_started_again(home: Path) -> None:
    # A backend that computes outlives its postmaster, and holds the shared memory.
    result = run(python(home, REVIVED))
    assert result.stdout == "1\n", result.stderr
    assert not processes_of(cluster(home))


def test_stale_pid_file_names_a_living_process(home: Path) -> None:
    run(python(home, USER), "\n")
    stale = cluster(home).data / "postmaster.pid"
    stale.write_text(f"{os.getpid()}\n{cluster(home).data}\n", "utf-8")
    assert embedded.postmaster(cluster(home)) is None
    assert run(python(home, USER), "\n").returncode == 0


def test_four_first_starts_at_once(tmp_path: Path, start: Start) -> None:
    children = [start(python(tmp_path, USER)) for _ in range(4)]
    pids = [child.communicate("\n", timeout=LIMIT)[0] for child in children]
    assert all(pids), [child.returncode for child in children]
    assert not processes_of(cluster(tmp_path))


def test_path_too_long_for_a_socket(tmp_path: Path) -> None:
    home = tmp_path / ("long " * 20) / ("path" * 20)
    assert len(str(home)) > 150
    result = run(python(home, USER), "\n")
    assert result.returncode == 0, result.stderr
    assert not processes_of(cluster(home))


def test_unfinished_initdb_is_begun_again(tmp_path: Path) -> None:
    ours = cluster(tmp_path)
    ours.data.mkdir(parents=True)
    (ours.data / "half").touch()
    with pytest.raises(LabError, match="was not made by the lab: set OLTP_LAB_HOME"):
        embedded.use(ours)
    (ours.folder / "begun").touch()
    assert embedded.use(ours)
    assert embedded.stop(ours)


def test_forked_child_counts_when_it_asks(home: Path, start: Start) -> None:
    parent = start(python(home, FORKED))
    assert parent.stdout and parent.stdin
    assert parent.stdout.readline() == "child\n"
    assert parent.wait(LIMIT) == 0
    parent.stdin.write("\n")
    parent.stdin.flush()
    assert parent.stdout.readline() == "served\n"
    wait(lambda: not processes_of(cluster(home)))


def test_threads_share_one_server(home: Path) -> None:
    result = run(python(home, THREADS))
    assert result.stdout == "1\n", result.stderr
    assert not processes_of(cluster(home))


def test_newer_settings_restart_a_server_that_nobody_else_uses(home: Path, start: Start) -> None:
    ours = cluster(home)
    newer = replace(ours, configuration=ours.configuration + "work_mem = '7MB'\n")
    other = start(python(home, USER))
    assert other.stdout
    pid = int(other.stdout.readline())
    assert embedded.use(newer) == pid, "another process uses it"
    embedded.leave(newer)
    other.kill()
    other.wait(LIMIT)
    assert embedded.use(newer) != pid
    with psycopg.connect(host=str(newer.socket), user="postgres", dbname="postgres") as session:
        assert session.execute("show work_mem").fetchone() == ("7MB",)
    embedded.leave(newer)
    assert not processes_of(ours)


@pytest.mark.skipif(not IS_ROOT, reason="the other tests run as an ordinary user")
def test_ordinary_user(reachable: Path) -> None:
    home = reachable / "home"
    home.mkdir()
    shutil.chown(home, "nobody", "nogroup")
    result = run(as_ordinary_user(python(home, USER)), "\n")
    assert result.returncode == 0, result.stderr
    assert cluster(home).data.owner() == "nobody"
    assert not processes_of(cluster(home))


@pytest.mark.skipif(not IS_ROOT, reason="only root runs the server in another account")
def test_closed_parent_stays_closed(reachable: Path) -> None:
    closed = reachable / "closed"
    closed.mkdir(mode=0o700)
    home = closed / "home"
    result = run(python(home, USER), "\n")
    assert result.returncode == 0, result.stderr
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    assert closed.stat().st_uid == 0
    assert not processes_of(cluster(home))


@pytest.mark.skipif(not IS_ROOT, reason="only root runs the server in another account")
def test_programs_in_a_closed_folder(reachable: Path, tmp_path: Path) -> None:
    closed = reachable / "closed"
    closed.mkdir(mode=0o700)
    package = embedded.installation().parent
    for source in (package, Path(f"{package}.libs")):
        shutil.copytree(source, closed / source.name, symlinks=True)
    program = f"import sys; sys.path.insert(0, {str(closed)!r})\n{USER}"
    result = run(python(tmp_path, program), "\n")
    assert result.returncode == 0, result.stderr
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    assert not processes_of(cluster(tmp_path))
    assert not cluster(tmp_path).socket.exists(), "the copy is removed"
