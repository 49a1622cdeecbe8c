"""Bringing staging up to date: the two-snapshot delta, or everything where there is none.

A row belongs to the delta when the transaction that last wrote it is visible in the new snapshot
(it is read there) and was not in the old one. Visibility begins at commit, in whatever order, and
that is what snapshots speak of; so no row is lost and none comes twice, however long its
transaction took. A deleted row has a tombstone, which is a row of the same kind; a key that was
deleted and inserted again is in the delta too. So: delete the keys of both, insert the rows. (A key
itself never changes, the database refuses that.)
"""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import duckdb
from psycopg.sql import SQL, Composable, Identifier, Literal

from oltp_lab import sql
from oltp_lab.errors import LabError
from oltp_lab.servers import Database
from oltp_lab.warehouse import deltas, transactions
from oltp_lab.warehouse.tables import READER, Description, TableSpec, describe
from oltp_lab.warehouse.transactions import Snapshot

FULL, INCREMENT, NONE = "full", "increment", "none"


@dataclass(frozen=True)
class Synced:
    """What a sync did to one table; ``seconds`` is its own time.

    ``rows`` were inserted or replaced, ``deleted`` removed for a tombstone. ``lag_*_s`` are
    quantiles over the delta of the seconds from a row's commit in the OLTP to its commit in the
    warehouse; None for a full load, for no rows, and where track_commit_timestamp is off.
    ``age_s`` are the seconds from the snapshot to the commit in the warehouse, the least that its
    data was behind.
    """

    table_name: str
    mode: str
    rows: int
    deleted: int
    seconds: float
    lag_p50_s: float | None = None
    lag_p95_s: float | None = None
    lag_p99_s: float | None = None
    age_s: float | None = None


def sync(
    connection: duckdb.DuckDBPyConnection,
    database: Database,
    descriptions: Sequence[Description],
    *,
    full_refresh: bool | Collection[TableSpec] = False,
) -> list[Synced]:
    """Make the described tables' staging equal one snapshot of the OLTP database.

    ``full_refresh`` reads all of them again as a whole, or those that it names. Rows and watermarks
    are committed together, all or nothing.
    Raises LabError when a table was altered since it was described.
    """
    tables = [description.table for description in descriptions]
    anew = (tables if full_refresh else ()) if isinstance(full_refresh, bool) else full_refresh
    try:
        return _sync(connection, database, descriptions, anew)
    except duckdb.Error:
        pairs = zip(descriptions, describe(database, tables), strict=True)
        if altered := [then.table.label for then, now in pairs if then != now]:
            raise LabError(
                f"{', '.join(altered)} was altered while the sync began: run it again"
            ) from None
        raise


def _sync(
    connection: duckdb.DuckDBPyConnection,
    database: Database,
    descriptions: Sequence[Description],
    anew: Collection[TableSpec],
) -> list[Synced]:
    with transactions.on_snapshot(connection, database) as taken:
        prepare(connection)
        synced = [
            _bring_up(connection, described, taken, full_refresh=described.table in anew)
            for described in descriptions
        ]
        _note(connection, descriptions, synced, taken)
        with database.connect(READER, autocommit=True) as settling:
            settling.execute(_queries("oltp")["settle"])
    return [_committed(table, time.monotonic() - taken.monotonic) for table in synced]


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the schema ``staging`` and its watermarks unless they exist."""
    connection.execute(_queries("warehouse")["prepare"])
    deltas.prepare(connection)


def bring_up(
    connection: duckdb.DuckDBPyConnection,
    description: Description,
    taken: Snapshot,
    *,
    full_refresh: bool = False,
) -> Synced:
    """Make one staging table and its watermark equal the snapshot, in the caller's transaction."""
    done = _bring_up(connection, description, taken, full_refresh=full_refresh)
    _note(connection, [description], [done], taken)
    return done


def watermark(
    connection: duckdb.DuckDBPyConnection, description: Description, taken: Snapshot
) -> str | None:
    """The snapshot that the staging table equals; None when there is no delta from it to ``taken``.

    That is so at first, when the server or the incarnation is another, and when the table is
    described otherwise.
    """
    query = _queries("warehouse")["watermark"]
    row = connection.execute(query, [description.table.label]).fetchone()
    if row and (row[0], row[1], row[3]) == (taken.server, taken.incarnation, description.digest):
        return row[2]
    return None


def _bring_up(
    connection: duckdb.DuckDBPyConnection,
    description: Description,
    taken: Snapshot,
    *,
    full_refresh: bool,
) -> Synced:
    """Make one staging table equal the snapshot; nothing is noted yet."""
    began = time.monotonic()
    since = None if full_refresh else watermark(connection, description, taken)
    if since is None:
        done = _read_in_full(connection, description)
    else:
        done = _read_delta(connection, description, since, taken)
    return replace(done, seconds=time.monotonic() - began)


def _note(
    connection: duckdb.DuckDBPyConnection,
    descriptions: Sequence[Description],
    synced: Sequence[Synced],
    taken: Snapshot,
) -> None:
    """Which tables changed, and that all equal the snapshot; all at once, as each write costs."""
    pairs = list(zip(descriptions, synced, strict=True))
    deltas.note(connection, [d.table.name for d, done in pairs if done.mode != NONE])
    labels, digests = [d.table.label for d in descriptions], [d.digest for d in descriptions]
    mark = [labels, taken.server, taken.incarnation, taken.text, digests, taken.local_time]
    connection.execute(_queries("warehouse")["set_watermarks"], mark)


def _read_in_full(connection: duckdb.DuckDBPyConnection, description: Description) -> Synced:
    """Replace the table; DuckDB scans the attached one in parallel and spills what is too much."""
    staging = description.table.staging
    attached = Identifier("oltp", description.table.schema, description.table.name)
    _run(connection, "make_anew", staging=staging, definitions=description.definitions)
    columns = description.casts
    rows = _run(connection, "read_in_full", staging=staging, columns=columns, table=attached)
    on_table, on_column = (
        SQL(_queries("warehouse")[name]) for name in ("comment_on_table", "comment_on_column")
    )
    comments = [on_table.format(staging=staging, comment=Literal(description.comment))]
    for column in description.columns:
        parts = {"column": Identifier(column.name), "comment": Literal(column.comment)}
        comments.append(on_column.format(staging=staging, **parts))
    connection.execute(SQL("").join(comments).as_string())
    deltas.log(connection, description.table.name, None)
    return Synced(description.table.label, FULL, rows, deleted=0, seconds=0)


def _read_delta(
    connection: duckdb.DuckDBPyConnection, description: Description, since: str, taken: Snapshot
) -> Synced:
    """Replace what changed and remove what was deleted since the snapshot ``since``."""
    table, staging = description.table, description.table.staging
    changed = _run(connection, "read_changed", [_changed(description, since)])
    buried = _run(connection, "read_buried", [_buried(table, since)])
    if not changed and not buried:
        return Synced(table.label, NONE, rows=0, deleted=0, seconds=0)
    log = deltas.log(connection, table.name, changed + buried)
    tenant, row_id = Identifier(table.key[0]), Identifier(table.key[-1])
    kept = dict.fromkeys([*table.key, *(log.columns if log else ())])
    columns = SQL(", ").join(map(Identifier, kept))
    _run(connection, "read_old", staging=staging, columns=columns, tenant=tenant, id=row_id)
    deleted = _run(connection, "count_deleted", tenant=tenant, id=row_id)
    _run(connection, "delete_old", staging=staging)
    names, columns = description.names, description.casts
    _run(connection, "insert_changed", staging=staging, names=names, columns=columns)
    if log:
        log.keep("old", SQL(", ").join(map(Identifier, log.columns)))
        log.keep("changed", description.casts_of(log.columns))
    lag = _queries("warehouse")["lag"]
    (lags,) = connection.execute(lag, [taken.server_time]).fetchone() or (None,)
    return Synced(table.label, INCREMENT, changed, deleted, 0, *(lags or ()))


def _changed(description: Description, since: str) -> str:
    """The query of the changed rows, run by PostgreSQL."""
    return _asked("changed", since, table=description.table.source, columns=description.names)


def _buried(table: TableSpec, since: str) -> str:
    """The query of the deleted rows' tombstones, run by PostgreSQL."""
    return _asked("buried", since, label=Literal(table.label))


def _asked(name: str, since: str, **parts: Composable) -> str:
    queries = _queries("oltp")
    bounds = {"oldest": Literal(transactions.xmin(since)), "snapshot": Literal(since)}
    query = SQL(queries[name])
    return query.format(committed_at=SQL(queries["committed_at"]), **bounds, **parts).as_string()


def _run(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    values: Sequence[str] = (),
    **parts: Composable,
) -> int:
    """Run a statement in the warehouse; returns how many rows it wrote or counted."""
    statement = SQL(_queries("warehouse")[name]).format(**parts).as_string()
    (rows,) = connection.execute(statement, values).fetchone() or (0,)
    return rows


def _queries(where: str) -> dict:
    return sql.queries(f"warehouse/staging/{where}.sql")


def _committed(synced: Synced, elapsed: float) -> Synced:
    """Its lags, which the delta gives up to the snapshot, up to the commit in the warehouse."""
    lags = (synced.lag_p50_s, synced.lag_p95_s, synced.lag_p99_s)
    shifted = (None if lag is None else lag + elapsed for lag in lags)
    p50, p95, p99 = shifted
    return replace(synced, lag_p50_s=p50, lag_p95_s=p95, lag_p99_s=p99, age_s=elapsed)
