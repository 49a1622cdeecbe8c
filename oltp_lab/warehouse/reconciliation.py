"""Does staging equal the OLTP database? Rows, keys and contents, per tenant and table.

Both sides must be compared as of one moment, while others go on writing. So the check takes a
snapshot of its own, applies the delta up to it to staging, compares the two on that snapshot, and
undoes everything. A row that an earlier sync lost, doubled, or left stale is not in the delta (the
watermark passes for having covered it), and so it shows; a row that merely changed since is not
taken for a difference; and the warehouse is left as it was found.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString

import duckdb
from psycopg.sql import SQL, Composable, Identifier, Literal

from oltp_lab import sql
from oltp_lab.servers import Database
from oltp_lab.warehouse import extraction, transactions
from oltp_lab.warehouse.tables import Column, Description
from oltp_lab.warehouse.transactions import Snapshot

OLTP, WAREHOUSE = "oltp", "warehouse"
SHOWN_TENANTS = 3
SHOWN_KEYS = 5


@dataclass(frozen=True)
class Reconciled:
    """The comparison of one table; ``differences`` are sentences that name tenant and keys."""

    table_name: str
    rows: int
    differing_tenants: int
    differences: tuple[str, ...]


def reconcile(
    connection: duckdb.DuckDBPyConnection,
    database: Database,
    descriptions: Sequence[Description],
) -> list[Reconciled]:
    """Compare the described tables on one snapshot; the warehouse is left as it was."""
    with transactions.on_snapshot(connection, database, keep=False) as taken:
        extraction.prepare(connection)
        return [_reconcile(connection, description, taken) for description in descriptions]


def _reconcile(
    connection: duckdb.DuckDBPyConnection, description: Description, taken: Snapshot
) -> Reconciled:
    label = description.table.label
    if extraction.watermark(connection, description, taken) is None:
        reason = "it was not synced from this database as it is now: run the job `analytics_sync`"
        return Reconciled(label, 0, 0, (reason,))
    extraction.bring_up(connection, description, taken)
    asked = _composed("oltp_sums", description, OLTP)
    compare = _composed("differing_tenants", description, WAREHOUSE)
    differing = connection.execute(compare, [asked]).fetchall()
    differences = tuple(
        f"tenant {tenant} has {ours:,} rows in the OLTP and {theirs:,} in the warehouse ("
        + ", ".join(_differing_rows(connection, description, tenant))
        + ")"
        for tenant, ours, theirs in differing[:SHOWN_TENANTS]
    )
    rows = connection.execute(_composed("rows", description, WAREHOUSE)).fetchone() or (0,)
    return Reconciled(label, rows[0], len(differing), differences)


def _differing_rows(
    connection: duckdb.DuckDBPyConnection, description: Description, tenant: str
) -> list[str]:
    """Some keys of a tenant that differ, and how."""
    asked = _composed("oltp_rows", description, OLTP, tenant_id=Literal(tenant))
    compare = _composed("differing_rows", description, WAREHOUSE, limit=Literal(SHOWN_KEYS))
    return [told for (told,) in connection.execute(compare, [asked, tenant]).fetchall()]


def _composed(name: str, description: Description, side: str, **parts: Composable) -> str:
    """A query that one side answers about a table."""
    table = description.table
    parts |= {
        "table": table.source if side == OLTP else table.staging,
        "tenant": Identifier(table.key[0]),
        "id": Identifier(table.key[-1]),
        "hash": _hash(side, description.columns),
    }
    return SQL(_queries()[name]).format(**parts).as_string()


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
