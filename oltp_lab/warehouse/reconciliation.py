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
        return [_reconcile(connection, description, taken) for description in descriptions]


def _reconcile(
    connection: duckdb.DuckDBPyConnection, description: Description, taken: Snapshot
) -> Reconciled:
    label = description.table.label
    if extraction.watermark(connection, description, taken) is None:
        reason = "it was not synced from this database as it is now: run the job `analytics_sync`"
        return Reconciled(label, 0, 0, (reason,))
    extraction.bring_up(connection, description, taken)
    parts = _parts(description)
    asked = _composed("oltp_sums", table=description.table.source, **parts["oltp"])
    compare = _composed(
        "differing_tenants", staging=description.table.staging, **parts["warehouse"]
    )
    differing = connection.execute(compare, [asked]).fetchall()
    differences = tuple(
        f"tenant {tenant} has {ours:,} rows in the OLTP and {theirs:,} in the warehouse ("
        + ", ".join(_differing_rows(connection, description, tenant))
        + ")"
        for tenant, ours, theirs in differing[:SHOWN_TENANTS]
    )
    (rows,) = connection.execute(
        _composed("rows", staging=description.table.staging)
    ).fetchone() or (0,)
    return Reconciled(label, rows, len(differing), differences)


def _differing_rows(
    connection: duckdb.DuckDBPyConnection, description: Description, tenant: str
) -> list[str]:
    """Some keys of a tenant that differ, and how."""
    parts = _parts(description)
    asked = _composed(
        "oltp_rows", table=description.table.source, tenant_id=Literal(tenant), **parts["oltp"]
    )
    query = _composed(
        "differing_rows",
        staging=description.table.staging,
        limit=Literal(SHOWN_KEYS),
        **parts["warehouse"],
    )
    return [difference for (difference,) in connection.execute(query, [asked, tenant]).fetchall()]


def _parts(description: Description) -> dict[str, dict[str, Composable]]:
    """What the queries of either side are composed of."""
    key = description.table.key
    names = {"tenant": Identifier(key[0]), "id": Identifier(key[-1])}
    columns = description.columns
    keys = [column for column in columns if column.name in key]
    return {
        side: {**names, "hash": _hash(side, columns), "key_hash": _hash(side, keys)}
        for side in ("oltp", "warehouse")
    }


def _hash(side: str, columns: Sequence[Column]) -> Composable:
    """SQL for a number made of the columns' texts."""
    queries = _queries()
    spelled = (SQL(_text(side, column)).format(Identifier(column.name)) for column in columns)
    texts = (SQL(queries[f"{side}_text"]).format(text=text) for text in spelled)
    return SQL(queries[f"{side}_hash"]).format(texts=SQL(", ").join(texts))


def _text(side: str, column: Column) -> LiteralString:
    return column.oltp_text if side == "oltp" else column.warehouse_text


def _composed(name: str, **parts: Composable) -> str:
    query = SQL(_queries()[name])
    return query.format(**parts).as_string()


def _queries() -> dict[str, LiteralString]:
    return sql.queries("warehouse/checks/reconciliation.sql")
