"""Processes of the lab on record, so that what a ``kill -9`` left behind is found and ended.

Each process that uses a server records itself under the home, and so is each child made here.
A process is ended by its pid, and only while its start time is the recorded one.
"""

import atexit
import ctypes
import functools
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from oltp_lab.errors import LabError
from oltp_lab.settings import Settings

_END_LIMIT = 5  # seconds from the polite signal to the other one
_SAME_START = 1.5  # seconds: start times count from the boot's, which is rounded to a second
_SET_PARENT_DEATH_SIGNAL = 1  # prctl


@functools.cache
def record_self(settings: Settings) -> None:
    """Record this process until it exits.

    The first of its ancestors on record owns it, and those in between (``dagster dev`` has a
    process that only starts others, and uses no server).
    """
    ancestors = psutil.Process().parents()
    recorded = [i for i, ancestor in enumerate(ancestors) if _is_recorded(settings, ancestor)]
    owner = ancestors[recorded[-1]] if recorded else None
    between = ancestors[: recorded[-1]] if recorded else []
    for ancestor in between:
        _record(settings, ancestor, owner)
    atexit.register(_forget, _record(settings, psutil.Process(), owner), os.getpid())


@contextmanager
def spawn(
    settings: Settings,
    arguments: Sequence[str | Path],
    *,
    limit: float,
    environment: Mapping[str, str] | None = None,
    open_files: int = 0,
    **options: Any,
) -> Iterator[subprocess.Popen[Any]]:
    """A child process (``subprocess.Popen`` with ``options``) that does not outlive the block.

    ``environment`` is added to ours; it may have ``open_files``, if our hard limit allows as many.
    The child dies with us, even on ``kill -9``.
    Raises LabError when it runs for more than ``limit`` seconds.
    """
    with _open_files(open_files):
        child = subprocess.Popen(
            arguments,
            env={**os.environ, **(environment or {})},
            preexec_fn=_in_child,  # noqa: PLW1509
            **options,
        )
    path = _record(settings, psutil.Process(child.pid), psutil.Process())
    expired = threading.Event()
    timer = threading.Timer(limit, lambda: (expired.set(), child.kill()))
    timer.daemon = True
    timer.start()
    try:
        yield child
    finally:
        timer.cancel()
        _end_child(child)
        path.unlink(missing_ok=True)
        if expired.is_set():
            raise LabError(f"{Path(arguments[0]).name} was ended: it ran longer than {limit:g} s")


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


def end_orphans(settings: Settings) -> list[str]:
    """End recorded processes whose owner is gone; returns what they were."""
    return _end(settings, orphans_only=True)


def end_all(settings: Settings) -> list[str]:
    """End every recorded process but ourselves and our ancestors; returns what they were."""
    return _end(settings, orphans_only=False)


def _end(settings: Settings, *, orphans_only: bool) -> list[str]:
    spared = {os.getpid(), *(p.pid for p in psutil.Process().parents())}
    doomed: dict[psutil.Process, str] = {}
    for path in _folder(settings).glob("*.json"):
        note = _read(path)
        process = _living(note)
        if process is None:
            path.unlink(missing_ok=True)
        elif process.pid not in spared and not (orphans_only and _has_owner(note)):
            path.unlink(missing_ok=True)
            for member in _family(process):
                doomed.setdefault(member, " ".join(_command(member))[:100])
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in doomed:
            with suppress(psutil.Error):
                process.send_signal(number)
        deadline = time.monotonic() + _END_LIMIT
        while any(map(_lives, doomed)) and time.monotonic() < deadline:
            time.sleep(0.02)
    return [f"{process.pid} {command}" for process, command in doomed.items()]


def _record(settings: Settings, process: psutil.Process, owner: psutil.Process | None) -> Path:
    folder = _folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{process.pid}.json"
    written = folder / f"{process.pid}.{os.getpid()}.{threading.get_ident()}.new"
    written.write_text(json.dumps({"process": _name(process), "owner": owner and _name(owner)}))
    written.replace(path)
    return path


def _name(process: psutil.Process) -> dict[str, float]:
    return {"pid": process.pid, "create_time": process.create_time()}


def _forget(path: Path, pid: int) -> None:
    if os.getpid() == pid:  # and not a forked child
        path.unlink(missing_ok=True)


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return {"process": None, "owner": None}


def _living(note: dict[str, Any], key: str = "process") -> psutil.Process | None:
    """The process that was noted, unless it is gone or its pid is another's by now."""
    name = note[key]
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(name["pid"]) if name else None
        if process and abs(process.create_time() - name["create_time"]) < _SAME_START:
            return process if _lives(process) else None
    return None


def _lives(process: psutil.Process) -> bool:
    """A zombie does not, though nobody may ever collect it."""
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _has_owner(note: dict[str, Any]) -> bool:
    return note["owner"] is None or _living(note, "owner") is not None


def _is_recorded(settings: Settings, process: psutil.Process) -> bool:
    return _living(_read(_folder(settings) / f"{process.pid}.json")) is not None


def _family(process: psutil.Process) -> list[psutil.Process]:
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _end_child(child: subprocess.Popen[Any]) -> None:
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(_END_LIMIT)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _folder(settings: Settings) -> Path:
    return settings.home / "processes"


_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def _in_child() -> None:
    """Run in the child before its program; the kernel counts the thread that made it as parent."""
    # Dagster gives SIGTERM what SIGINT has, which a shell's background jobs ignore; we end by it.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if _libc:
        _libc.prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
