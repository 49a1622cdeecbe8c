"""The two databases as one who uses both sees them: a session each, never in one transaction."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from psycopg.pq import TransactionStatus

from oltp_lab import sql
from oltp_lab.errors import LabError
from oltp_lab.servers import Database

Reached = Callable[[str], None]
"""Is told each step before the next one begins."""

TRIES = 3
PATIENCE = {"connect_timeout": 2, "options": "-c statement_timeout=5s -c lock_timeout=3s"}
"""Of an application's sessions."""
_WORKER = {"connect_timeout": 2, "options": "-c statement_timeout=60s -c lock_timeout=5s"}
_PAUSE_S = 0.1


class ContentUnavailableError(LabError):
    """The content database is down or too slow; nothing was left half done that is not healed."""


def unheard(_: str) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class Tiers:
    """Where both are."""

    oltp: Database
    content: Database

    @contextmanager
    def worker(self) -> Iterator[tuple[psycopg.Connection, psycopg.Connection]]:
        """The platform's sessions with the OLTP and with the content database, in autocommit.

        Raises LabError when either is not to be had.
        """
        with (
            self.oltp.connect("lab_platform", autocommit=True, **_WORKER) as oltp,
            self.content.connect("lab_platform", autocommit=True, **_WORKER) as content,
        ):
            yield oltp, content


class Session:
    """A tenant's sessions with both, made on first use."""

    def __init__(self, tiers: Tiers, tenant: UUID) -> None:
        self._tiers, self.tenant = tiers, tenant
        self._oltp: psycopg.Connection | None = None
        self._content: psycopg.Connection | None = None

    def close(self) -> None:
        """End both."""
        for connection in (self._oltp, self._content):
            if connection:
                connection.close()

    @property
    def oltp(self) -> psycopg.Connection:
        """The session with the OLTP, in autocommit. Raises LabError when there is none."""
        if self._oltp is None or self._oltp.closed:
            self._oltp = self._tiers.oltp.connect("lab_app", autocommit=True, **PATIENCE)
        return self._oltp

    @contextmanager
    def in_oltp(self) -> Iterator[Callable[..., tuple[Any, ...]]]:
        """A transaction of the OLTP; what it gives runs a named query and returns its row.

        Raises LabError when there is no session to be had.
        """
        connection = self.oltp
        with connection.transaction():
            self._enter(connection)
            yield lambda query, /, **values: self._row(connection, query, values)

    def in_content(self, query: str, /, **values: Any) -> tuple[Any, ...]:
        """One named query as a transaction of the content database; all may be tried again.

        Raises ContentUnavailableError when the database is down, or too slow, each time; LabError
        when a transaction of the OLTP is open, which would wait for it.
        """
        self._refuse_to_wait()
        told = ""
        for attempt in range(TRIES):
            if attempt:
                time.sleep(_PAUSE_S * 2 ** (attempt - 1))
            try:
                if self._content is None or self._content.closed:
                    connect = self._tiers.content.connect
                    self._content = connect("lab_app", autocommit=True, **PATIENCE)
                with self._content.transaction():
                    self._enter(self._content)
                    return self._row(self._content, query, values)
            except (psycopg.OperationalError, LabError) as error:
                told = str(error).splitlines()[0]
        raise ContentUnavailableError(
            f"the content database does not answer ({told}): try again when it does, "
            "or see that OLTP_LAB_NEIGHBOURS_URL names a server that runs"
        )

    def _refuse_to_wait(self) -> None:
        if self._oltp and self._oltp.info.transaction_status != TransactionStatus.IDLE:
            raise LabError("a transaction of the OLTP is open: end it before the content database")

    def _enter(self, connection: psycopg.Connection) -> None:
        connection.execute(_queries()["enter"], {"tenant": self.tenant})

    def _row(
        self, connection: psycopg.Connection, query: str, values: Mapping[str, Any]
    ) -> tuple[Any, ...]:
        named = {"tenant": self.tenant, **values}
        return connection.execute(_queries()[query], named).fetchone() or ()


def pump(source: psycopg.Connection, out: Any, target: psycopg.Connection, into: Any) -> None:
    """Copy what one session's COPY gives into another's, block by block."""
    with (
        source.cursor() as reading,
        target.cursor() as writing,
        reading.copy(out) as data,
        writing.copy(into) as place,
    ):
        for block in data:
            place.write(block)


def _queries() -> dict[str, Any]:
    """What an author asks."""
    return sql.queries("neighbours/content/authoring.sql")
