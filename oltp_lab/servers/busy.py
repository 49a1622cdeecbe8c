"""When was the lab waiting for a database? What is left of the wall time is its own overhead."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import psycopg

_guard = threading.Lock()
_windows: list[tuple[float, float]] = []  # disjoint and ascending, but for those of other threads


@contextmanager
def busy() -> Iterator[None]:
    """Mark a window in which the lab waits for a statement or a load run."""
    began = time.time()
    try:
        yield
    finally:
        with _guard:
            _windows.append((began, time.time()))


def seconds(since: float) -> float:
    """Length in seconds of the union of the windows after ``since`` (a ``time.time()``)."""
    with _guard:
        windows = sorted(_windows)
    total, reached = 0.0, since
    for began, ended in windows:
        if ended > reached:
            total += ended - max(began, reached)
            reached = ended
    return total


class BusyConnection(psycopg.Connection[Any]):
    """A connection whose statements and commits count as busy."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cursor_factory = BusyCursor

    def commit(self) -> None:
        with busy():
            super().commit()


class BusyCursor(psycopg.Cursor[Any]):
    """A cursor whose statements count as busy; they include the transfer of the result."""

    def execute(self, *args: Any, **kwargs: Any) -> Self:
        with busy():
            return super().execute(*args, **kwargs)

    def executemany(self, *args: Any, **kwargs: Any) -> None:
        with busy():
            super().executemany(*args, **kwargs)

    @contextmanager
    def copy(self, *args: Any, **kwargs: Any) -> Iterator[psycopg.Copy]:
        with busy(), super().copy(*args, **kwargs) as copy:
            yield copy
