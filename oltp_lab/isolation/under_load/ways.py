"""Ways in for isolation under load: sessions of a client's own, a pool's, and PgBouncer's.

Each way comes with sessions apart for its positive control, which nobody else ever uses.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import psycopg
from psycopg_pool import ConnectionPool

from oltp_lab.servers import Database, pgbouncer

BORROW_LIMIT = 30.0
"""Seconds that a client waits for a session of a pool."""


class Sessions(Protocol):
    """Where a client gets an autocommit session for a turn."""

    def borrow(self) -> AbstractContextManager[psycopg.Connection]: ...


@dataclass(frozen=True)
class Way:
    """``control`` are two clients' sessions; the second may get what the first has left."""

    sessions: Sessions
    control: tuple[Sessions, Sessions]
    prepared: bool


class Own:
    """A session for each thread, opened again when it was lost."""

    def __init__(self, conninfo: str, **options: Any) -> None:
        self._connect = lambda: psycopg.connect(conninfo, autocommit=True, **options)
        self._mine = threading.local()
        self._opened: list[psycopg.Connection] = []

    @contextmanager
    def borrow(self) -> Iterator[psycopg.Connection]:
        connection = getattr(self._mine, "connection", None)
        if connection is None or connection.closed:
            connection = self._mine.connection = self._connect()
            self._opened.append(connection)
        yield connection

    def close(self) -> None:
        """Close every thread's session."""
        for connection in self._opened:
            connection.close()


class Pooled:
    """The sessions of a psycopg pool, which resets nothing between two clients."""

    def __init__(self, conninfo: str, size: int, **options: Any) -> None:
        self._pool = ConnectionPool(
            conninfo,
            min_size=size,
            max_size=size,
            timeout=BORROW_LIMIT,
            kwargs={"autocommit": True, **options},
            open=True,
        )

    @contextmanager
    def borrow(self) -> Iterator[psycopg.Connection]:
        connection = self._pool.getconn()
        try:
            yield connection
        finally:
            self._pool.putconn(connection)

    def close(self) -> None:
        """Close every session."""
        self._pool.close()


@contextmanager
def _direct(database: Database, role: str, mark: str, _: int) -> Iterator[Way]:
    options: dict[str, Any] = {"application_name": mark, "prepare_threshold": 0}
    with (
        closing(Own(database.conninfo(role), **options)) as sessions,
        closing(Own(database.conninfo(role))) as control,
    ):
        yield Way(sessions, (control, control), prepared=True)


@contextmanager
def _psycopg_pool(database: Database, role: str, mark: str, size: int) -> Iterator[Way]:
    options: dict[str, Any] = {"application_name": mark, "prepare_threshold": 0}
    with (
        closing(Pooled(database.conninfo(role), size, **options)) as sessions,
        closing(Pooled(database.conninfo(role), 1)) as control,
    ):
        yield Way(sessions, (control, control), prepared=True)


@contextmanager
def _pgbouncer(database: Database, role: str, mark: str, size: int) -> Iterator[Way]:
    pools = {"load": pgbouncer.Pool(role, size), "control": pgbouncer.Pool(role, 1)}
    with pgbouncer.running(database, pools, limit=3600) as bouncer:
        # Before PgBouncer 1.21 a prepared statement stayed behind on a session of somebody else's.
        options = {"prepare_threshold": 0 if bouncer.prepares else None}
        with (
            closing(Own(bouncer.conninfo("load"), application_name=mark, **options)) as sessions,
            closing(Own(bouncer.conninfo("control"), prepare_threshold=None)) as first,
            closing(Own(bouncer.conninfo("control"), prepare_threshold=None)) as second,
        ):
            yield Way(sessions, (first, second), prepared=bouncer.prepares)


WAYS: dict[str, Callable[[Database, str, str, int], AbstractContextManager[Way]]] = {
    "direct": _direct,
    "psycopg_pool": _psycopg_pool,
    "pgbouncer": _pgbouncer,
}
"""By the name of the arm; they are given the database, the role, ``application_name``, a size."""


def missing(arm: str) -> str | None:
    """Why this machine lacks a way in, None when it has it."""
    if arm == "pgbouncer" and pgbouncer.program() is None:
        return "there is no pgbouncer on PATH"
    return None
