"""The two databases as one who uses both sees them: a session each, never in one transaction."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg

from oltp_lab import sql
from oltp_lab.errors import LabError
from oltp_lab.servers import Database

Reached = Callable[[str], None]
"""Is told each step before the next one begins."""

TRIES = 3
PATIENCE = {"connect_timeout": 2, "options": "-c statement_timeout=5s -c lock_timeout=3s"}
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


class Session:
    """A tenant's sessions with both (without a tenant: the platform's), made on first use."""

    def __init__(self, tiers: Tiers, tenant: UUID | None = None) -> None:
        self._tiers, self._tenant = tiers, tenant
        self._role = "lab_app" if tenant else "lab_platform"
        self._oltp: psycopg.Connection | None = None
        self._content: psycopg.Connection | None = None

    def close(self) -> None:
        for connection in (self._oltp, self._content):
            if connection:
                connection.close()

    @property
    def oltp(self) -> psycopg.Connection:
        """The session with the OLTP, in autocommit. Raises LabError when there is none."""
        if self._oltp is None or self._oltp.closed:
            self._oltp = self._tiers.oltp.connect(self._role, autocommit=True, **PATIENCE)
        return self._oltp

    @property
    def content(self) -> psycopg.Connection:
        """That with the content database, while the OLTP waits for nothing.

        Raises LabError when there is none to be had, and when a transaction of the OLTP is open.
        """
        if self._oltp and self._oltp.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            raise LabError("a transaction of the OLTP is open: end it before the content database")
        if self._content is None or self._content.closed:
            self._content = self._tiers.content.connect(self._role, autocommit=True, **PATIENCE)
        return self._content

    @contextmanager
    def in_oltp(self) -> Iterator[Callable[..., tuple[Any, ...]]]:
        """A transaction of the OLTP; what it gives runs a named query and returns its row."""
        connection = self.oltp
        with connection.transaction():
            self._enter(connection)
            yield lambda query, /, **values: self._row(connection, query, values)

    def in_content(self, query: str, /, **values: Any) -> tuple[Any, ...]:
        """One named query as a transaction of the content database; all may be tried again.

        Raises ContentUnavailableError when the database is down, or too slow, each time.
        """
        told = ""
        for attempt in range(TRIES):
            try:
                connection = self.content
                with connection.transaction():
                    self._enter(connection)
                    return self._row(connection, query, values)
            except (psycopg.OperationalError, LabError) as error:
                if self._oltp_busy():
                    raise
                told = str(error).splitlines()[0]
                if attempt + 1 < TRIES:
                    time.sleep(_PAUSE_S * 2**attempt)
        raise ContentUnavailableError(
            f"the content database does not answer ({told}): try again when it does, "
            "or see that OLTP_LAB_NEIGHBOURS_URL names a server that runs"
        )

    def _oltp_busy(self) -> bool:
        idle = psycopg.pq.TransactionStatus.IDLE
        return self._oltp is not None and self._oltp.info.transaction_status != idle

    def _enter(self, connection: psycopg.Connection) -> None:
        if self._tenant:
            connection.execute(queries()["enter"], {"tenant": self._tenant})

    def _row(
        self, connection: psycopg.Connection, query: str, values: Mapping[str, Any]
    ) -> tuple[Any, ...]:
        named = {"tenant": self._tenant, **values}
        return connection.execute(queries()[query], named).fetchone() or ()


def queries() -> dict[str, Any]:
    """What an author asks."""
    return sql.queries("neighbours/content/authoring.sql")
