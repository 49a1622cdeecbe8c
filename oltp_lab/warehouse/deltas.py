"""What changed in staging, kept until every mart that reads it has taken it in.

Each change of staging tables has a number. A table that some mart reads has a log in the schema
``deltas``: of the rows that a change replaced and those that it brought, under its number, the
columns by which marts tell what they touch. The sync
writes it with the rows themselves, in one transaction; a mart takes it in together with its own
rows. So neither a killed sync nor a killed refresh loses or repeats a change. A table that was
read as a whole has no log any more: then its marts are built anew, and begin another.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import duckdb
from psycopg.sql import SQL, Composable, Identifier, Literal

from oltp_lab import sql

_FILE = "warehouse/staging/deltas.sql"

LONGEST = 250_000
"""Rows of a log. To build a mart anew costs less than to take in more, and they fit in memory."""


class Change(NamedTuple):
    """The latest change of a table; the rows of those after ``kept_since`` are in its log."""

    latest: int
    kept_since: int | None


@dataclass(frozen=True)
class Log:
    """Where the rows of one change of a table are kept, and which columns of them."""

    connection: duckdb.DuckDBPyConnection
    table: str
    change: int
    columns: tuple[str, ...]

    def keep(self, rows: str, columns: Composable) -> None:
        """Add the rows of a temporary table; ``columns`` selects those of the log from it."""
        names = SQL(", ").join(map(Identifier, self.columns))
        parts = {"names": names, "columns": columns, "rows": Identifier(rows)}
        _run(self.connection, "keep", self.table, change=Literal(self.change), **parts)


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Make what numbers the changes unless it exists."""
    connection.execute(sql.queries(_FILE)["prepare"])


def log(connection: duckdb.DuckDBPyConnection, table: str, rows: int | None) -> Log | None:
    """The log to keep the change in that is going on, if any.

    ``rows`` is how many the change brings or removes; None when the table was read as a whole.
    """
    following = connection.execute(sql.queries(_FILE)["following"], [table]).fetchone()
    assert following
    change, kept_since = following
    if kept_since is None:
        return None
    kept = connection.table(f"deltas.{table}")
    if rows is None or kept.shape[0] + rows > LONGEST:
        _run(connection, "drop_log", table)
        return None
    return Log(connection, table, change, tuple(kept.columns[1:]))


def note(connection: duckdb.DuckDBPyConnection, tables: Sequence[str]) -> None:
    """Give the change of these staging tables its number, when their logs have been written."""
    if tables:
        connection.execute(sql.queries(_FILE)["note"], [tables])


def state(connection: duckdb.DuckDBPyConnection) -> dict[str, Change]:
    """The latest change of each staging table that ever had one."""
    rows = connection.execute(sql.queries(_FILE)["state"]).fetchall()
    return {table: Change(latest, kept_since) for table, latest, kept_since in rows}


def begin_log(connection: duckdb.DuckDBPyConnection, table: str, columns: Sequence[str]) -> None:
    """Keep these columns of the table's changes from now on; nothing happens when they are.

    A log that lacks one begins anew, so that marts that have not taken it in are built anew too.
    """
    change = state(connection).get(table)
    if change and change.kept_since is not None:
        if set(columns).issubset(connection.table(f"deltas.{table}").columns):
            return
        _run(connection, "drop_log", table)
    names = SQL(", ").join(map(Identifier, columns))
    _run(connection, "begin_log", table, staging=Identifier("staging", table), columns=names)


def show(connection: duckdb.DuckDBPyConnection, tables: Sequence[str], position: int) -> None:
    """Make the views ``delta_TABLE``: rows before and after the changes since ``position``."""
    for table in tables:
        view = Identifier(f"delta_{table}")
        _run(connection, "view", table, view=view, position=Literal(position))


def prune(connection: duckdb.DuckDBPyConnection) -> None:
    """Remove what every mart has taken in, and the logs of tables that none reads any more."""
    for table, position in connection.execute(sql.queries(_FILE)["consumed"]).fetchall():
        if position is None:
            _run(connection, "drop_log", table)
        else:
            _run(connection, "prune", table, position=Literal(position))


def _run(connection: duckdb.DuckDBPyConnection, name: str, table: str, **parts: Composable) -> None:
    parts |= {"log": Identifier("deltas", table), "name": Literal(table)}
    connection.execute(SQL(sql.queries(_FILE)[name]).format(**parts).as_string())
