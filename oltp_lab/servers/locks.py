"""Locks between processes: ``flock`` on files, which the kernel frees even on ``kill -9``.

One writer of the warehouse, one load run at a time; the start and stop of embedded servers.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from oltp_lab.errors import LabError
from oltp_lab.settings import Settings


@contextmanager
def held(settings: Settings, name: str, *, holder: str, timeout: float = 60) -> Iterator[None]:
    """Hold the lock ``name``; ``holder`` is the text that others are shown meanwhile.

    Raises LabError naming the holder when the lock is not free within ``timeout`` seconds.
    """
    settings.locks.mkdir(parents=True, exist_ok=True)
    path = settings.locks / f"{name}.lock"
    descriptor = open_file(path)
    try:
        if not acquire(descriptor, exclusive=True, timeout=timeout):
            raise LabError(
                f"{name} is in use by {_holder(path)}: wait until it ends, end it, "
                f"or set OLTP_LAB_HOME to another folder"
            )
        since = datetime.now().astimezone().isoformat(timespec="seconds")
        note = json.dumps({"holder": holder, "pid": os.getpid(), "since": since})
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, note.encode(), 0)
        try:
            yield
        finally:
            os.ftruncate(descriptor, 0)
            # Not left to close(): a forked child may still have the descriptor.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)


def open_file(path: Path) -> int:
    """A descriptor (not inherited by programs) to lock the file by; makes the file."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def acquire(descriptor: int, *, exclusive: bool, timeout: float) -> bool:
    """Lock an open file; False when it was not to be had within ``timeout`` seconds."""
    kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
    deadline = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
        else:
            return True


def _holder(path: Path) -> str:
    try:
        note = json.loads(path.read_text("utf-8"))
    except ValueError:  # taken, but its note is not written yet
        return "another process"
    return f"{note['holder']}, process {note['pid']}, since {note['since']}"
