"""A refreshed mart equals one built anew, row by row, whatever changed, whatever was cut short."""

import itertools
from collections import Counter
from pathlib import Path
from typing import Any, cast

import pytest
from duckdb import DuckDBPyConnection

from oltp_lab import sql
from oltp_lab.servers import Database
from oltp_lab.warehouse import deltas, marts
from oltp_lab.warehouse.mart_reconciliation import differences
from oltp_lab.warehouse.marts import Mart
from oltp_lab_tests.warehouse.business import stale, sync
from oltp_lab_tests.warehouse.changes import Changes

ROUNDS = 3
MARTS = marts.discovered()
DAILY = Mart("campaign_daily")
_MISPLACED = """
select count(*) from staging.events as e
join staging.steps as s on s.tenant_id = e.tenant_id and s.id = e.step_id
where s.campaign_id <> e.campaign_id
"""
RENAME = "update campaigns.campaigns set name = name || ' renamed'"
MOVE = "update campaigns.events set occurred_at = occurred_at + interval '1 day'"


class Interrupted:
    """A connection on which the statement of that number is the last."""

    def __init__(self, connection: DuckDBPyConnection, last: int) -> None:
        self.connection, self.left = connection, last

    def execute(self, *arguments: Any) -> DuckDBPyConnection:
        if self.left == 0 and arguments != ("rollback",):
            raise KeyboardInterrupt
        self.left -= 1
        return self.connection.execute(*arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)


def modes(connection: DuckDBPyConnection, **options: Any) -> dict[str, str]:
    """Refresh; what was done, by mart."""
    return {done.mart.name: done.mode for done in marts.refresh(connection, **options)}


def refreshed_by(connection: DuckDBPyConnection, statements: int) -> bool:
    """Whether a refresh ends within so many statements; the next one is not executed."""
    try:
        marts.refresh(cast(DuckDBPyConnection, Interrupted(connection, statements)))
    except KeyboardInterrupt:
        return False
    return True


def change(database: Database, statement: str) -> None:
    with database.connect() as owner:
        owner.execute(statement.encode())


def built(connection: DuckDBPyConnection, database: Database) -> None:
    sync(connection, database)
    marts.refresh(connection)


def stale_marts(connection: DuckDBPyConnection) -> list[str]:
    return [mart.name for mart in MARTS if stale(connection, mart)]


def told(connection: DuckDBPyConnection) -> list[str]:
    """How marts differ from themselves built anew, and their totals from staging's.

    The funnel has no row for an event at a step of another campaign, which no operation writes and
    random changes do: then only its totals tell of it.
    """
    (misplaced,) = connection.execute(_MISPLACED).fetchone() or (0,)
    return [
        sentence
        for mart in MARTS
        for sentence in differences(connection, mart)
        if not (mart.name == "campaign_funnel" and misplaced and " in the mart and " in sentence)
    ]


def assert_before_and_after(connection: DuckDBPyConnection) -> None:
    """The log of one sync holds each row that changed once as it was and once as it is.

    One that was touched and is as it was is there twice: marts count on its cancelling out.
    """
    rows = logged(connection)
    for table in rows:
        log = connection.sql(f"from deltas.{table} select * exclude (change)")
        columns = ", ".join(f'"{name}"' for name in log.columns)
        left = Counter(log.fetchall())
        for one, other in (("old", "staging"), ("staging", "old")):
            changed = connection.sql(f"from {one}.{table} except all from {other}.{table}")
            left.subtract(changed.project(columns).fetchall())
        assert all(count >= 0 and count % 2 == 0 for count in left.values()), table
    assert sum(rows.values()) > len(rows)


def logged(connection: DuckDBPyConnection) -> dict[str, int]:
    """Rows of each log."""
    names = connection.execute(
        "select table_name from duckdb_tables() where schema_name = 'deltas'"
    )
    return {name: connection.table(f"deltas.{name}").shape[0] for (name,) in names.fetchall()}


def test_refreshed_equals_built_anew(seeded: Database, connection: DuckDBPyConnection) -> None:
    """After every round of changes to all mirrored tables; the second one comes by two syncs."""
    built(connection, seeded)
    assert told(connection) == []
    connection.execute("create schema old")
    for table in logged(connection):
        connection.execute(f"create table old.{table} as from staging.{table}")
    changes = Changes(seeded, seed=1)
    incremental = set()
    for turn in range(ROUNDS):
        changes.make(3)
        if turn == 1:
            sync(connection, seeded)
            changes.purge()
        sync(connection, seeded)
        if turn == 0:
            assert_before_and_after(connection)
        refreshed = modes(connection)
        incremental |= {name for name, mode in refreshed.items() if mode == marts.INCREMENT}
        assert told(connection) == [], f"round {turn}"
    assert incremental == {mart.name for mart in MARTS if mart.followed.issuperset(mart.sources)}
    changed = {table for table, kind in changes.made if kind != "copy"}
    assert changed.issuperset(source for mart in MARTS for source in mart.sources)
    assert set(modes(connection).values()) == {marts.NONE}


def test_a_lost_change_would_be_noticed(
    oltp: Database, connection: DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is mended by building anew, here by parts."""
    built(connection, oltp)
    change(oltp, MOVE)
    sync(connection, oltp)
    connection.execute("delete from deltas.events")
    marts.refresh(connection)
    assert "campaign_daily" in stale_marts(connection)
    change(oltp, RENAME)
    sync(connection, oltp)
    with monkeypatch.context() as patched:
        patched.setattr(marts, "AT_ONCE", 50)
        assert modes(connection, full_refresh=True) == {mart.name: marts.FULL for mart in MARTS}
    assert stale_marts(connection) == []


def test_a_refresh_cut_short_anywhere_changes_nothing(
    oltp: Database, connection: DuckDBPyConnection
) -> None:
    built(connection, oltp)
    change(oltp, MOVE)
    change(oltp, RENAME)
    sync(connection, oltp)
    before = [connection.table(f"marts.{mart.name}").order("all").fetchall() for mart in MARTS]
    statements = next(n for n in itertools.count() if refreshed_by(connection, n))
    touched = [mart for mart in MARTS if "events" in mart.sources]
    assert statements > 5 * len(touched)
    after = [connection.table(f"marts.{mart.name}").order("all").fetchall() for mart in MARTS]
    assert after[0] != before[0]
    assert stale_marts(connection) == []


def test_what_every_mart_has_taken_in_is_kept_no_longer(
    oltp: Database, connection: DuckDBPyConnection
) -> None:
    built(connection, oltp)
    assert set(logged(connection)) == {source for mart in MARTS for source in mart.sources}
    change(oltp, RENAME)
    done = sync(connection, oltp)
    assert logged(connection)["campaigns"] == 2 * done["campaigns.campaigns"].rows > 0
    marts.refresh(connection, [DAILY])
    assert logged(connection)["campaigns"] > 0
    marts.refresh(connection)
    assert set(logged(connection).values()) == {0}
    assert stale_marts(connection) == []


def test_what_the_log_does_not_tell_is_built_anew(
    oltp: Database, connection: DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table read as a whole, which marts learn one after the other; a log that is too long."""
    built(connection, oltp)
    change(oltp, "alter table campaigns.events add column place text")
    sync(connection, oltp)
    (done,) = marts.refresh(connection, [DAILY])
    assert done.mode == marts.FULL
    change(oltp, MOVE)
    sync(connection, oltp)
    reads = {mart.name for mart in MARTS if "events" in mart.sources}
    expected = {mart.name: marts.FULL if mart.name in reads else marts.NONE for mart in MARTS}
    assert modes(connection) == {**expected, "campaign_daily": marts.INCREMENT}
    monkeypatch.setattr(deltas, "LONGEST", 10)
    change(oltp, MOVE)
    sync(connection, oltp)
    assert "events" not in logged(connection)
    assert modes(connection) == expected
    assert stale_marts(connection) == []


def test_marts_follow_their_files(
    oltp: Database, connection: DuckDBPyConnection, editable_sql: Path
) -> None:
    """One that changed is built anew; so is one at each change that its file says nothing of."""
    built(connection, oltp)
    file = editable_sql / DAILY.file
    file.write_text(file.read_text().replace("touched_by_events", "forgotten"))
    sql.queries.cache_clear()
    sql.steps.cache_clear()
    others = {mart.name: marts.NONE for mart in MARTS if mart != DAILY}
    assert modes(connection) == {**others, DAILY.name: marts.FULL}
    change(oltp, MOVE)
    sync(connection, oltp)
    assert modes(connection)[DAILY.name] == marts.FULL
    assert stale_marts(connection) == []


def test_a_log_that_lacks_a_column_begins_anew(
    oltp: Database, connection: DuckDBPyConnection, editable_sql: Path
) -> None:
    """And with it every mart that has yet to take it in."""
    built(connection, oltp)
    change(oltp, MOVE)
    sync(connection, oltp)
    assert "automatic" not in connection.table("deltas.events").columns
    file = editable_sql / DAILY.file
    query = "from delta_events where automatic is not null;"
    file.write_text(file.read_text().replace("from delta_events;", query))
    sql.queries.cache_clear()
    sql.steps.cache_clear()
    reads = {mart.name for mart in MARTS if "events" in mart.sources}
    built_anew = {name for name, mode in modes(connection).items() if mode == marts.FULL}
    assert built_anew == reads
    assert "automatic" in connection.table("deltas.events").columns
    change(oltp, MOVE)
    sync(connection, oltp)
    assert marts.FULL not in modes(connection).values()
    assert stale_marts(connection) == []


def test_a_mart_that_has_no_file_any_more_is_removed(
    oltp: Database, connection: DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    built(connection, oltp)
    monkeypatch.setattr(marts, "discovered", lambda: (DAILY,))
    marts.refresh(connection)
    query = "select table_name from duckdb_tables() where schema_name = 'marts'"
    assert connection.execute(query).fetchall() == [(DAILY.name,)]
    assert set(logged(connection)) == set(DAILY.sources)
