"""Which OLTP tables are mirrored, and what the database says of each: columns, types, comments.

Deletes are followed through ``integration.tombstones``, for every table alike.
"""

import hashlib
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import LiteralString

import psycopg
from psycopg.sql import SQL, Composable, Identifier

from oltp_lab import catalog, sql
from oltp_lab.errors import LabError
from oltp_lab.servers import Database

READER = "lab_analytics"
TOMBSTONES = "integration.tombstones"
_STAMP = "change_xid"
# When a row came about, by the first of these columns that its table has.
_DAY_OF = (
    *("occurred_at", "day", "created_at", "created", "checked_at", "sampled_at", "issued_at"),
    *("assigned_at", "executed_at", "starts_on", "started_at", "period_start"),
)


@dataclass(frozen=True)
class TableSpec:
    """A mirrored table; to mirror another, add a line to ``MIRRORED``.

    ``key`` is its primary key: the column of the tenant first, the row's own id last.
    """

    schema: str
    name: str
    key: tuple[str, ...] = ("tenant_id", "id")

    @property
    def label(self) -> str:
        """``schema.name``, as tombstones and messages have it."""
        return f"{self.schema}.{self.name}"

    @property
    def source(self) -> Identifier:
        """The table in the OLTP database."""
        return Identifier(self.schema, self.name)

    @property
    def staging(self) -> Identifier:
        """The table in the warehouse."""
        return Identifier("staging", self.name)


MIRRORED = (
    TableSpec("public", "tenants", key=("id",)),
    TableSpec("campaigns", "campaigns"),
    TableSpec("campaigns", "steps"),
    TableSpec("campaigns", "leads"),
    TableSpec("campaigns", "enrollments"),
    TableSpec("campaigns", "step_executions"),
    TableSpec("campaigns", "events"),
    TableSpec("campaigns", "suppressions"),
    TableSpec("campaigns", "templates"),
    TableSpec("campaigns", "template_versions"),
    TableSpec("infrastructure", "domains"),
    TableSpec("infrastructure", "dns_records"),
    TableSpec("infrastructure", "dns_checks"),
    TableSpec("infrastructure", "email_accounts"),
    TableSpec("infrastructure", "vps_instances", key=("id",)),
    TableSpec("infrastructure", "smtp_ips", key=("id",)),
    TableSpec("infrastructure", "ip_assignments", key=("id",)),
    TableSpec("infrastructure", "daily_sends"),
    TableSpec("infrastructure", "reputation_samples"),
    TableSpec("infrastructure", "costs", key=("id",)),
    TableSpec("infrastructure", "cost_shares", key=("id",)),
    TableSpec("billing", "subscriptions"),
    TableSpec("billing", "subscription_items"),
    TableSpec("billing", "subscription_changes"),
    TableSpec("billing", "invoices"),
    TableSpec("billing", "invoice_lines"),
    TableSpec("billing", "payments"),
    TableSpec("billing", "payment_attempts"),
    TableSpec("billing", "refunds"),
    TableSpec("billing", "overrides"),
    TableSpec("billing", "usage_counters"),
    TableSpec("integration", "notifications"),
)


@dataclass(frozen=True)
class Column:
    """A mirrored column and how either side spells its type.

    ``..._text`` gives the same text on both sides, ``..._day`` the day in UTC, of a time.
    """

    name: str
    oltp_type: str
    comment: str
    warehouse: LiteralString
    oltp_text: LiteralString
    warehouse_text: LiteralString
    oltp_day: LiteralString = ""
    warehouse_day: LiteralString = ""

    @property
    def cast(self) -> Composable:
        """The column as the warehouse keeps it."""
        return SQL("cast({0} as {1}) as {0}").format(Identifier(self.name), SQL(self.warehouse))


@dataclass(frozen=True)
class Description:
    """A mirrored table as the OLTP database has it now."""

    table: TableSpec
    comment: str
    columns: tuple[Column, ...]
    file: int | None

    @property
    def digest(self) -> str:
        """Changes when a column is added, dropped, retyped or moved; then all is read again.

        So it does when the table has another file, made anew or truncated.
        """
        columns = [(c.name, c.oltp_type, c.warehouse) for c in self.columns]
        shape = repr((self.table.key, columns, self.file))
        return hashlib.sha256(shape.encode()).hexdigest()[:16]

    @property
    def day(self) -> Column | None:
        """The column whose day is the row's; None when the table has none."""
        columns = {column.name: column for column in self.columns}
        return next((columns[name] for name in _DAY_OF if name in columns), None)

    @property
    def names(self) -> Composable:
        """The columns' names, comma-separated."""
        return SQL(", ").join(Identifier(column.name) for column in self.columns)

    @property
    def definitions(self) -> Composable:
        """The columns' names and types, and how ids in the key are compressed.

        Every delta looks its keys up by a scan, and the bit packing that DuckDB chooses where the
        tenants' rows are mixed takes 20 times as long to read.
        """
        *others, row_id = self.table.key
        ways = {row_id: SQL("uncompressed"), **dict.fromkeys(others, SQL("rle"))}
        parts: list[Composable] = []
        for column in self.columns:
            parts.append(SQL("{} {}").format(Identifier(column.name), SQL(column.warehouse)))
            if column.name in ways and column.warehouse == "uuid":
                parts[-1] += SQL(" using compression {}").format(ways[column.name])
        return SQL(", ").join(parts)

    @property
    def casts(self) -> Composable:
        """The columns as the warehouse keeps them, comma-separated."""
        return SQL(", ").join(column.cast for column in self.columns)

    def casts_of(self, names: Sequence[str]) -> Composable:
        """Likewise some of them, in this order."""
        casts = {column.name: column.cast for column in self.columns}
        return SQL(", ").join(casts[name] for name in names)


def named(names: Sequence[str], tables: Sequence[TableSpec] = MIRRORED) -> list[TableSpec]:
    """Those of the tables that have one of the names (``schema.name``); all when none is named.

    Raises LabError for a name that none of them has.
    """
    if unknown := set(names).difference(table.label for table in tables):
        told = ", ".join(repr(name) for name in sorted(unknown))
        raise LabError(
            f"{told} is no table that this run can sync: correct `tables` in the run config, "
            "which takes names such as campaigns.events, or select its asset too"
        )
    return [table for table in tables if not names or table.label in names]


def describe(database: Database, tables: Sequence[TableSpec] = MIRRORED) -> list[Description]:
    """What the database says of the tables, once it is proven that every row of them is seen.

    Raises LabError for a table that cannot be mirrored without loss, naming it; reads no row.
    """
    queries = sql.queries("warehouse/staging/oltp.sql")
    _refuse_unbuilt(database)
    with database.connect(READER, autocommit=True) as connection:
        _refuse_obstacles(connection, queries["obstacles"], tables)
        keys = dict(connection.execute(queries["primary_keys"]).fetchall())
        files = dict(connection.execute(queries["files"]).fetchall())
        comments, columns = _catalog(connection)
    return [_described(table, comments, columns, keys, files[table.label]) for table in tables]


def _refuse_unbuilt(database: Database) -> None:
    """Asked as the administrator: the reader itself is made by the first build."""
    with database.connect(autocommit=True) as administrator:
        if not catalog.is_built(administrator):
            raise LabError(
                f"the database {database.name} holds no schema yet: run the job `build` first, "
                "or set OLTP_LAB_POSTGRES_URL to the server that has it"
            )


def _refuse_obstacles(
    connection: psycopg.Connection, query: LiteralString, tables: Sequence[TableSpec]
) -> None:
    names = [*(table.label for table in tables), TOMBSTONES]
    obstacles = connection.execute(query, {"tables": names}).fetchall()
    if obstacles:
        told = "; ".join(f"{name}: {reason}" for name, reason in obstacles)
        raise LabError(
            f"the warehouse would lose rows ({told}): mend that, or rebuild the schema with the "
            "job `build`"
        )


def _catalog(
    connection: psycopg.Connection,
) -> tuple[dict[str, str], dict[str, list[catalog.Column]]]:
    """Comments and columns of every table, by ``schema.name``."""
    queries = sql.queries("catalog.sql")
    columns: dict[str, list[catalog.Column]] = {}
    for schema, name, *column in connection.execute(queries["columns"]):
        columns.setdefault(f"{schema}.{name}", []).append(catalog.Column(*column))
    comments = {
        f"{schema}.{name}": comment
        for schema, name, comment, _ in connection.execute(queries["tables"])
    }
    return comments, columns


def _described(
    table: TableSpec,
    comments: dict[str, str],
    columns: dict[str, list[catalog.Column]],
    keys: dict[str, list[str]],
    file: int | None,
) -> Description:
    if keys.get(table.label) != list(table.key):
        raise LabError(
            f"{table.label} is mirrored by the key {table.key}, but its primary key is "
            f"{keys.get(table.label)}: correct its TableSpec in warehouse/tables.py"
        )
    mirrored = [column for column in columns[table.label] if column.name != _STAMP]
    for column in mirrored:
        if column.type not in types():
            raise LabError(
                f"{table.label}.{column.name} has the type {column.type}, which the warehouse "
                "does not know: add it to sql/warehouse/staging/types.toml"
            )
    return Description(
        table,
        comments[table.label],
        tuple(Column(c.name, c.type, c.comment, **types()[c.type]) for c in mirrored),
        file,
    )


@cache
def types() -> dict[str, dict[str, LiteralString]]:
    """What ``types.toml`` says of each PostgreSQL type."""
    return tomllib.loads(sql.read("warehouse/staging/types.toml"))
