"""Marts: tables that SQL over staging makes. A file in ``sql/warehouse/marts`` is a mart.

The file's first line says what it is; named queries follow:

- ``rows`` gives its rows for the keys in the table ``scope``, of which it has no others;
- ``keys`` gives every key there is, as columns of the mart;
- ``touched_by_TABLE`` gives the keys that rows of ``delta_TABLE`` bear upon: the rows of a staging
  table as they were before and after each change since the mart was last refreshed, with those
  columns that such queries name (not by ``*``);
- ``comments`` documents the mart, each column ending in ``-- from TABLE.COLUMN, ...``: where in
  staging it comes from.

A refresh deletes the touched keys' rows and inserts them as they are now. A mart is built anew, for
every key, when it is new, when its file changed, when a table that it reads was read as a whole,
and when one changed that no ``touched_by_TABLE`` speaks of. Either way it holds the same rows, so
they may depend on staging alone, not on the clock.

The file of the same name in ``sql/warehouse/checks`` gives control totals: ``mart_reconciliation``.
"""

import hashlib
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import chain
from pathlib import PurePath
from typing import LiteralString, cast

import duckdb
from psycopg.sql import SQL, Composable, Identifier, Literal

from oltp_lab import sql
from oltp_lab.errors import LabError
from oltp_lab.warehouse import deltas
from oltp_lab.warehouse.deltas import Change
from oltp_lab.warehouse.transactions import transaction

FULL, INCREMENT, NONE = "full", "increment", "none"

AT_ONCE = 2_000_000
"""Rows of staging that a full build takes at once, by parts of the keys, to fit in memory."""

_READ = re.compile(r"\bstaging\.(\w+)")
_LINEAGE = re.compile(r"^comment on column marts\.\w+\.(\w+) is .*;\s+-- from (.+)$", re.MULTILINE)
_WORD = re.compile(r"\w+")
_TOUCHED_BY = "touched_by_"
_MISSING = re.compile(r'column "(\w+)" not found|not have a column named "(\w+)"')


@dataclass(frozen=True)
class Mart:
    """One mart: its name and its files below ``sql/``."""

    name: str

    @property
    def file(self) -> str:
        return f"warehouse/marts/{self.name}.sql"

    @property
    def check_file(self) -> str:
        return f"warehouse/checks/{self.name}.sql"

    @property
    def table(self) -> Identifier:
        """The table in the warehouse."""
        return Identifier("marts", self.name)

    @property
    def description(self) -> str:
        """The first line of its file."""
        return sql.read(self.file).splitlines()[0].removeprefix("-- ")

    @property
    def definition(self) -> str:
        """Changes when one of its queries does; then it is built anew."""
        return hashlib.sha256(repr(sql.queries(self.file)).encode()).hexdigest()[:16]

    @property
    def sources(self) -> tuple[str, ...]:
        """The staging tables that it reads."""
        return tuple(sorted(set(_READ.findall(sql.read(self.file)))))

    @property
    def followed(self) -> frozenset[str]:
        """The staging tables of whose changes it knows which keys they touch."""
        names = sql.queries(self.file)
        return frozenset(n.removeprefix(_TOUCHED_BY) for n in names if n.startswith(_TOUCHED_BY))

    @property
    def lineage(self) -> dict[str, list[tuple[str, str]]]:
        """Of each column the staging columns, (table, column), that it comes from."""
        return {
            column: [_pair(source) for source in sources.split(", ")]
            for column, sources in _LINEAGE.findall(sql.read(self.file))
        }

    def query(self, name: str) -> SQL:
        """A query of its file, as part of a statement."""
        return _part(self.file, name)

    def total(self, side: str) -> SQL:
        """The query of control totals, of the side ``mart`` or ``staging``."""
        return _part(self.check_file, side)


@dataclass(frozen=True)
class Refreshed:
    """What a refresh did to one mart.

    ``keys`` were built anew, ``rows`` it has now; ``seconds`` is its own time, ``age_s`` how old
    the data was then: the seconds since the oldest snapshot that a table it reads equals.
    """

    mart: Mart
    mode: str
    keys: int
    rows: int
    seconds: float
    age_s: float


@cache
def discovered() -> tuple[Mart, ...]:
    """Every mart, by name."""
    return tuple(Mart(PurePath(file).stem) for file in sql.files("warehouse/marts"))


def refresh(
    connection: duckdb.DuckDBPyConnection,
    chosen: Sequence[Mart] | None = None,
    *,
    full_refresh: bool = False,
) -> list[Refreshed]:
    """Make the marts (all of them by default) what staging as it is gives, all or none.

    Raises LabError when a staging table has not been synced yet, and when one has not the columns,
    or not of the types, that a mart needs.
    """
    with transaction(connection):
        return bring_up(
            connection, discovered() if chosen is None else chosen, full_refresh=full_refresh
        )


def bring_up(
    connection: duckdb.DuckDBPyConnection, chosen: Sequence[Mart], *, full_refresh: bool = False
) -> list[Refreshed]:
    """``refresh`` in the caller's transaction."""
    taken_at = _taken_at(connection, chosen)
    deltas.prepare(connection)
    connection.execute(_queries()["prepare"])
    _remove_gone(connection)
    positions, state = _positions(connection), deltas.state(connection)
    refreshed = []
    for mart in chosen:
        position = None if full_refresh else positions.get((mart.name, mart.definition))
        done = _refresh(connection, mart, position, state, taken_at)
        if done.mode == FULL:  # logs may have begun anew for it
            state = deltas.state(connection)
        refreshed.append(done)
    _take_positions(connection, chosen)
    deltas.prune(connection)
    return refreshed


def columns(connection: duckdb.DuckDBPyConnection, mart: Mart) -> list[tuple[str, str, str]]:
    """Name, type and comment of the mart's columns, in order."""
    return connection.execute(_queries()["columns"], [mart.name]).fetchall()


def refuse_unbuilt(connection: duckdb.DuckDBPyConnection, chosen: Sequence[Mart]) -> None:
    """Raises LabError, naming them, when some of the marts were never built."""
    unbuilt = [mart.name for mart in chosen if not columns(connection, mart)]
    if unbuilt:
        told = ", ".join(unbuilt)
        raise LabError(
            f"there is no mart {told} in the warehouse yet: run the job `analytics_sync`"
        )


def _taken_at(connection: duckdb.DuckDBPyConnection, chosen: Sequence[Mart]) -> dict[str, datetime]:
    """When the snapshots were taken that the staging tables equal; refuses if one is missing."""
    try:
        taken_at = dict(connection.execute(_queries()["taken_at"]).fetchall())
    except duckdb.CatalogException:  # nothing was ever synced
        taken_at = {}
    missing = {source for mart in chosen for source in mart.sources}.difference(taken_at)
    if missing:
        told = ", ".join(sorted(f"staging.{name}" for name in missing))
        raise LabError(f"the warehouse has no {told} yet: run the job `analytics_sync`")
    return taken_at


def _remove_gone(connection: duckdb.DuckDBPyConnection) -> None:
    names = [mart.name for mart in discovered()]
    for (name,) in connection.execute(_queries()["gone"], [names]).fetchall():
        _run(connection, "remove", mart=Identifier("marts", name), label=Literal(name))


def _refresh(
    connection: duckdb.DuckDBPyConnection,
    mart: Mart,
    position: int | None,
    state: Mapping[str, Change],
    taken_at: Mapping[str, datetime],
) -> Refreshed:
    """In the caller's transaction; ``position`` is None when it must be built anew."""
    began = time.monotonic()
    changed = None if position is None else _changed(mart, position, state)
    with _fitting(connection, mart, mart.file):
        if position is None or changed is None:
            mode, keys = FULL, _build(connection, mart)
        elif changed:
            mode, keys = INCREMENT, _increment(connection, mart, changed, position)
        else:
            mode, keys = NONE, 0
    rows = connection.table(f"marts.{mart.name}").shape[0]
    age = datetime.now(UTC) - min(taken_at[source] for source in mart.sources)
    return Refreshed(mart, mode, keys, rows, time.monotonic() - began, age.total_seconds())


@contextmanager
def _fitting(connection: duckdb.DuckDBPyConnection, mart: Mart, file: str) -> Iterator[None]:
    """Tell of a mart that its staging tables do not fit any more, in a sentence."""
    try:
        yield
    except (duckdb.BinderException, duckdb.ConversionException) as error:
        tables = ", ".join(f"staging.{source}" for source in mart.sources)
        told = str(error).partition("\n")[0]
        if missing := _MISSING.search(told):
            column = missing[1] or missing[2]
            of = {f"staging.{t}" for t, name in chain(*mart.lineage.values()) if name == column}
            lacking = sorted(table for table in of if column not in connection.table(table).columns)
            told = f"the column {column} is missing in {', '.join(lacking) or f'one of {tables}'}"
        else:
            told = f"a column of {tables} is of another type than it was ({told})"
        raise LabError(
            f"the mart {mart.name} does not fit staging, which is as the OLTP database is now: "
            f"{told}; change sql/{file}, or change the column back in the OLTP database"
        ) from None
    except duckdb.Error as error:
        error.add_note(f"in the mart {mart.name}, sql/{file}")
        raise


def _positions(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], int]:
    """Up to which change the marts have taken in all, by name and definition."""
    rows = connection.execute(_queries()["positions"]).fetchall()
    return {(mart, definition): position for mart, definition, position in rows}


def _take_positions(connection: duckdb.DuckDBPyConnection, chosen: Sequence[Mart]) -> None:
    """All at once: each such statement costs as much as a small mart."""
    names, definitions = [m.name for m in chosen], [m.definition for m in chosen]
    sources = [m.sources for m in chosen]
    connection.execute(_queries()["take_positions"], [names, definitions, sources])


def _changed(mart: Mart, position: int, state: Mapping[str, Change]) -> list[str] | None:
    """Staging tables that changed since; None when the mart must be built anew for one of them."""
    known = [state.get(source, Change(0, None)) for source in mart.sources]
    if any(change.kept_since is None or change.kept_since > position for change in known):
        return None
    changed = [s for s, change in zip(mart.sources, known, strict=True) if change.latest > position]
    return changed if mart.followed.issuperset(changed) else None


def _build(connection: duckdb.DuckDBPyConnection, mart: Mart) -> int:
    """Build the mart for every key, in parts that fit in memory; returns how many keys."""
    for source in mart.sources:
        deltas.begin_log(connection, source, _telling(connection, source))
    _run(connection, "keys", keys=mart.query("keys"))
    keys = connection.table("keys").shape[0]
    rows = sum(connection.table(f"staging.{source}").shape[0] for source in mart.sources)
    part = 1 + keys // (1 + rows // AT_ONCE)
    for after in range(0, max(keys, 1), part):
        _run(connection, "part", after=Literal(after), upto=Literal(after + part))
        step = "insert_scope" if after else "build"
        _run(connection, step, mart=mart.table, rows=mart.query("rows"))
    connection.execute(sql.queries(mart.file)["comments"])
    return keys


def _telling(connection: duckdb.DuckDBPyConnection, source: str) -> list[str]:
    """Columns that some mart names to tell what a change of the table touches."""
    name = _TOUCHED_BY + source
    queries = [sql.queries(mart.file).get(name, "") for mart in discovered()]
    named = {"id"}.union(*(_WORD.findall(query) for query in queries))
    return [column for column in connection.table(f"staging.{source}").columns if column in named]


def _increment(
    connection: duckdb.DuckDBPyConnection, mart: Mart, changed: Sequence[str], position: int
) -> int:
    """Replace the rows of the keys that the changes touched; returns how many keys."""
    deltas.show(connection, changed, position)
    touched = [SQL("({})").format(mart.query(_TOUCHED_BY + table)) for table in changed]
    _run(connection, "scope", keys=SQL(" union all by name ").join(touched))
    scope = connection.table("scope")
    keys = scope.shape[0]
    if not keys:
        return 0
    same_key = SQL(" and ").join(
        SQL("old.{0} = scope.{0}").format(Identifier(column)) for column in scope.columns
    )
    _run(connection, "delete_scope", mart=mart.table, same_key=same_key)
    _run(connection, "insert_scope", mart=mart.table, rows=mart.query("rows"))
    return keys


def _run(connection: duckdb.DuckDBPyConnection, name: str, **parts: Composable) -> None:
    connection.execute(SQL(_queries()[name]).format(**parts).as_string())


def _queries() -> dict[str, LiteralString]:
    return sql.queries("warehouse/marts.sql")


def _part(file: str, name: str) -> SQL:
    """A named query without its semicolon."""
    return SQL(cast(LiteralString, sql.queries(file)[name].rstrip(";")))


def _pair(column: str) -> tuple[str, str]:
    table, name = column.split(".")
    return table, name
