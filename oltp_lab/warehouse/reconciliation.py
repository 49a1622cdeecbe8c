"""Does staging equal the OLTP database? Rows, keys, sums and contents by table, tenant and day.

Both sides must be compared as of one moment, while others go on writing. So the check takes a
snapshot of its own, applies the delta up to it to staging, compares the two on that snapshot, and
undoes everything. A row that an earlier sync lost, doubled, or left stale is not in the delta (the
watermark passes for having covered it), and so it shows; a row that merely changed since is not
taken for a difference; and the warehouse is left as it was found.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import LiteralString

import duckdb
from psycopg.sql import SQL, Composable, Identifier, Literal

from oltp_lab import sql
from oltp_lab.servers import Database
from oltp_lab.warehouse import extraction, transactions
from oltp_lab.warehouse.tables import Column, Description
from oltp_lab.warehouse.transactions import Snapshot

OLTP, WAREHOUSE = "oltp", "warehouse"
SHOWN = 5
SHOWN_KEYS = 5


@dataclass(frozen=True)
class Reconciled:
    """The comparison of one table.

    ``differing`` counts the days of tenants that differ; ``differences`` are sentences on some of
    them, which name tenant, day and keys. ``day_of`` is the column that a row's day is of; None for
    a table without one, which is compared by tenant alone.
    """

    table_name: str
    rows: int
    day_of: str | None
    differing: int
    differences: tuple[str, ...]


def reconcile(
    connection: duckdb.DuckDBPyConnection,
    database: Database,
    descriptions: Sequence[Description],
) -> list[Reconciled]:
    """Compare the described tables on one snapshot; the warehouse is left as it was."""
    with on_snapshot(connection, database) as taken:
        return [_reconcile(connection, description, taken) for description in descriptions]


@contextmanager
def on_snapshot(connection: duckdb.DuckDBPyConnection, database: Database) -> Iterator[Snapshot]:
    """A snapshot of the OLTP database, up to which staging may be brought; all is undone."""
    with transactions.on_snapshot(connection, database, keep=False) as taken:
        extraction.prepare(connection)
        yield taken


def _reconcile(
    connection: duckdb.DuckDBPyConnection, description: Description, taken: Snapshot
) -> Reconciled:
    label, day = description.table.label, description.day
    day_of = day.name if day else None
    if extraction.watermark(connection, description, taken) is None:
        reason = "it was not synced from this database as it is now: run the job `analytics_sync`"
        return Reconciled(label, 0, day_of, 0, (reason,))
    extraction.bring_up(connection, description, taken)
    asked = _composed("oltp_sums", description, OLTP)
    compare = _composed("differing", description, WAREHOUSE)
    differing = connection.execute(compare, [asked]).fetchall()
    differences = tuple(_told(connection, description, *found) for found in differing[:SHOWN])
    rows = connection.execute(_composed("rows", description, WAREHOUSE)).fetchone() or (0,)
    return Reconciled(label, rows[0], day_of, len(differing), differences)


def _told(
    connection: duckdb.DuckDBPyConnection,
    description: Description,
    tenant: str,
    day: date | None,
    rows: int,
    staged: int,
    sums: list[str] | None,
    staged_sums: list[str] | None,
) -> str:
    """A sentence on the rows of a tenant on a day, with some keys that differ, and how."""
    when = "" if description.day is None else f" on {day or 'no day'}"
    names = [column.name for column in _summed(description)]
    none = ["0"] * len(names)
    unequal = "".join(
        f", {name} {ours} and {theirs}"
        for name, ours, theirs in zip(names, sums or none, staged_sums or none, strict=True)
        if ours != theirs
    )
    asked = _composed("oltp_rows", description, OLTP, tenant_id=Literal(tenant))
    compare = _composed("differing_rows", description, WAREHOUSE, limit=Literal(SHOWN_KEYS))
    keys = connection.execute(compare, [asked, tenant, day, day]).fetchall()
    return (
        f"tenant {tenant} has{when} {rows:,} rows in the OLTP and {staged:,} in the warehouse"
        f"{unequal} ({', '.join(key for (key,) in keys)})"
    )


def _composed(name: str, description: Description, side: str, **parts: Composable) -> str:
    """A query that one side answers about a table."""
    table = description.table
    summed = [Identifier(column.name) for column in _summed(description)]
    parts |= {
        "table": table.source if side == OLTP else table.staging,
        "tenant": Identifier(table.key[0]),
        "id": Identifier(table.key[-1]),
        "day": _day(side, description.day),
        "summed": SQL("").join(SQL(", {}").format(name) for name in summed),
        "sums": SQL(", ").join(SQL("coalesce(sum({}), 0)").format(name) for name in summed),
        "hash": _hash(side, description.columns),
    }
    return SQL(_queries()[name]).format(**parts).as_string()


def _summed(description: Description) -> list[Column]:
    """Columns of whole numbers, whose sums are exact."""
    return [c for c in description.columns if c.warehouse in ("smallint", "integer", "bigint")]


def _day(side: str, column: Column | None) -> Composable:
    """SQL for the day (UTC) of a row; null when it has none, and of an infinite time."""
    if column is None:
        return SQL("null::date")
    spelled = column.oltp_day if side == OLTP else column.warehouse_day
    return SQL(spelled).format(Identifier(column.name))


def _hash(side: str, columns: Sequence[Column]) -> Composable:
    """SQL for a number made of the columns' texts."""
    text = SQL(_queries()[f"{side}_text"])
    texts = (
        text.format(text=SQL(_spelled(side, column)).format(Identifier(column.name)))
        for column in columns
    )
    return SQL(_queries()[f"{side}_hash"]).format(texts=SQL(", ").join(texts))


def _spelled(side: str, column: Column) -> LiteralString:
    return column.oltp_text if side == OLTP else column.warehouse_text


def _queries() -> dict[str, LiteralString]:
    return sql.queries("warehouse/checks/reconciliation.sql")
