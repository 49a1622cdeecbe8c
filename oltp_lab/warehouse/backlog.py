"""What changed in the OLTP and is not in staging yet: whether anything did, and how many rows.

It is asked as the sync asks, by the snapshot that staging equals, so it is as exact: no change is
overlooked, whenever its transaction began, and one that staging has is not taken for news. Either
question reads the BRIN index and the pages that changed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import LiteralString

import duckdb
import psycopg
from psycopg.sql import SQL, Composed, Literal

from oltp_lab import sql
from oltp_lab.errors import LabError
from oltp_lab.servers import Database
from oltp_lab.warehouse import transactions
from oltp_lab.warehouse.tables import READER, TableSpec


@dataclass(frozen=True)
class Mark:
    """The snapshot that a staging table equals, of which server and database."""

    server: str
    incarnation: str
    snapshot: str


def marks(connection: duckdb.DuckDBPyConnection) -> dict[str, Mark]:
    """Up to where each table (``schema.name``) was synced; read in the warehouse.

    Raises LabError when nothing was ever synced.
    """
    try:
        rows = connection.execute(_queries()["marks"]).fetchall()
    except duckdb.CatalogException:
        raise LabError(
            "nothing was synced to the warehouse yet: run the job `analytics_sync`"
        ) from None
    return {label: Mark(*mark) for label, *mark in rows}


def changed(
    database: Database, tables: Iterable[TableSpec], known: Mapping[str, Mark]
) -> str | None:
    """The first of the tables (``schema.name``) in which something changed; None if nothing did.

    A table without a mark of this database is passed over: that one is to be read as a whole.
    """
    with database.connect(READER, autocommit=True) as connection:
        asked = _asked("changed", tables, _valid(connection, known))
        row = connection.execute(asked + SQL(" limit 1")).fetchone() if asked else None
    return row[0] if row else None


def rows(
    database: Database, tables: Iterable[TableSpec], known: Mapping[str, Mark]
) -> dict[str, int]:
    """Rows changed or deleted, by table (``schema.name``); none for one without a mark."""
    with database.connect(READER, autocommit=True) as connection:
        asked = _asked("rows", tables, _valid(connection, known))
        return dict(connection.execute(asked).fetchall()) if asked else {}


def _valid(connection: psycopg.Connection, known: Mapping[str, Mark]) -> dict[str, Mark]:
    """Marks of the database as it is; snapshots of another say nothing here."""
    state = connection.execute(sql.queries("warehouse/staging/oltp.sql")["state"]).fetchone()
    assert state
    _, server, incarnation, _ = state
    connection.execute(_queries()["prefer_indexes"])
    ours = (server, incarnation)
    return {label: mark for label, mark in known.items() if (mark.server, mark.incarnation) == ours}


def _asked(name: str, tables: Iterable[TableSpec], known: Mapping[str, Mark]) -> Composed | None:
    """One query about those of the tables that have a mark; None when none has."""
    query = SQL(_queries()[name])
    marked = [(table, known[table.label].snapshot) for table in tables if table.label in known]
    parts = [
        query.format(
            table=table.source,
            label=Literal(table.label),
            oldest=Literal(transactions.xmin(snapshot)),
            snapshot=Literal(snapshot),
        )
        for table, snapshot in marked
    ]
    return SQL(" union all ").join(parts) if parts else None


def _queries() -> dict[str, LiteralString]:
    return sql.queries("warehouse/checks/backlog.sql")
