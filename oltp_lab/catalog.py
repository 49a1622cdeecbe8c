"""What a database says of its own tables: columns, comments, sizes.

``tables()`` reads the SQL files instead, since definitions are loaded without a server.
"""

import re
from dataclasses import dataclass
from functools import cache

import psycopg
from psycopg import sql as pg

from oltp_lab import sql

_CREATE_TABLE = re.compile(r"^create table (\w+)\.(\w+) \(", re.MULTILINE)


@dataclass(frozen=True)
class Column:
    """A column as the catalog describes it."""

    name: str
    type: str
    nullable: bool
    comment: str


@dataclass(frozen=True)
class Table:
    """A table: its rows (exact), its size on disk in bytes, indexes included."""

    schema: str
    name: str
    comment: str
    columns: tuple[Column, ...]
    rows: int
    bytes: int


@cache
def tables() -> tuple[tuple[str, str], ...]:
    """(schema, name) of every business table, in the order in which they are created."""
    return tuple(
        (schema, name)
        for folder in ("schema/nile", "schema/tables")
        for file in sql.files(folder)
        for schema, name in _CREATE_TABLE.findall(sql.read(file))
    )


def is_built(connection: psycopg.Connection) -> bool:
    """Whether the database holds a schema of the lab's."""
    return connection.execute(sql.queries("catalog.sql")["is_built"]).fetchone() == (True,)


def describe(connection: psycopg.Connection) -> dict[tuple[str, str], Table]:
    """Every business table of the database, rows counted under the connection's rights."""
    queries = sql.queries("catalog.sql")
    columns: dict[tuple[str, str], list[Column]] = {}
    for schema, table, *column in connection.execute(queries["columns"]):
        columns.setdefault((schema, table), []).append(Column(*column))
    described = {}
    for schema, name, comment, size in connection.execute(queries["tables"]):
        if (schema, name) in tables():
            count = pg.SQL("select count(*) from {}").format(pg.Identifier(schema, name))
            (rows,) = connection.execute(count).fetchone() or (0,)
            described[schema, name] = Table(
                schema, name, comment, tuple(columns[schema, name]), rows, size
            )
    return described
