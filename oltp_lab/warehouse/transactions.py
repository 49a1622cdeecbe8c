"""Transactions in the warehouse, such that are one PostgreSQL transaction too among them.

DuckDB's postgres extension opens, for a transaction that reads an attached database, one REPEATABLE
READ READ ONLY transaction there. Every ``postgres_query`` runs in it, and the further sessions of a
parallel table scan import its snapshot.
"""

import contextlib
import importlib.resources
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from psycopg.sql import SQL, Literal

from oltp_lab import sql
from oltp_lab.errors import LabError
from oltp_lab.servers import Database, busy
from oltp_lab.warehouse.tables import READER

_SNAPSHOT = re.compile(r"(?P<xmin>\d+):\d+:[\d,]*")


@dataclass(frozen=True)
class Snapshot:
    """What a transaction reads: ``text`` as pg_current_snapshot() gives it, of which database.

    ``server_time`` is the server's clock, ``local_time`` and ``monotonic`` are the lab's clocks;
    the lab's were read before the snapshot was taken, so that an age by them is never too small.
    """

    text: str
    server: str
    incarnation: str
    server_time: datetime
    local_time: datetime
    monotonic: float


def xmin(snapshot: str) -> int:
    """The oldest transaction that was running; raises ValueError for text that is no snapshot."""
    if found := _SNAPSHOT.fullmatch(snapshot):
        return int(found["xmin"])
    raise ValueError(f"{snapshot!r} is no snapshot of PostgreSQL")


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection, *, keep: bool = True) -> Iterator[None]:
    """A transaction; it is undone when the body raises, and always with ``keep=False``."""
    with busy.busy():
        connection.execute("begin")
        try:
            yield
            connection.execute("commit" if keep else "rollback")
        except BaseException:
            with contextlib.suppress(duckdb.Error):  # a commit that failed has ended it already
                connection.execute("rollback")
            raise


@contextmanager
def on_snapshot(
    connection: duckdb.DuckDBPyConnection, database: Database, *, keep: bool = True
) -> Iterator[Snapshot]:
    """A transaction on one snapshot of ``database``, which is attached as ``oltp``.

    Raises LabError, and keeps nothing, when the session was lost on the way.
    """
    with _attached(connection, database), transaction(connection, keep=keep):
        taken = _taken(connection)
        yield taken
        if _taken(connection).text != taken.text:
            raise LabError(f"the session with {database.name} was lost: run again")


def extension() -> Path:
    """DuckDB's postgres extension, as its package ships it for this DuckDB."""
    package = Path(str(importlib.resources.files("duckdb_extension_postgres_scanner")))
    return package / "extensions" / f"v{duckdb.__version__}" / "postgres_scanner.duckdb_extension"


@contextmanager
def _attached(connection: duckdb.DuckDBPyConnection, database: Database) -> Iterator[None]:
    # Loaded from where it is: installing would copy it into the user's home.
    connection.execute(SQL("load {}").format(Literal(str(extension()))).as_string())
    attach = SQL("attach {} as oltp (type postgres, read_only)")
    try:
        connection.execute(attach.format(Literal(database.conninfo(READER))).as_string())
    except duckdb.Error:  # its text holds the password
        raise LabError(
            f"DuckDB cannot connect to {database.name} on {database.server.where} as {READER}: see "
            "that server's log, or set OLTP_LAB_POSTGRES_URL to another server"
        ) from None
    try:
        yield
    finally:
        connection.execute("detach oltp")


def _taken(connection: duckdb.DuckDBPyConnection) -> Snapshot:
    local_time, monotonic = datetime.now(UTC), time.monotonic()
    query = sql.queries("warehouse/staging/oltp.sql")["state"]
    row = connection.execute("from postgres_query('oltp', ?)", [query]).fetchone()
    assert row
    text, server, incarnation, server_time = row
    return Snapshot(text, server, incarnation, server_time, local_time, monotonic)
