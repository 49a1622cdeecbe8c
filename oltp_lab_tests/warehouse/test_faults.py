"""What goes wrong around a sync is told in a sentence, loses nothing, and the next run heals it."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from duckdb import DuckDBPyConnection

from oltp_lab.errors import LabError
from oltp_lab.resources.warehouse import Warehouse
from oltp_lab.servers import Database, databases
from oltp_lab.warehouse import extraction, marts
from oltp_lab.warehouse.tables import describe
from oltp_lab_tests.warehouse.business import assert_equal, modes, stale, sync, watermarks

ENLARGE = """
update campaigns.leads
set custom_fields = jsonb_build_object('x', repeat(gen_random_uuid()::text, 300))
"""
INCARNATION = "select incarnation from lab.incarnation"


def change(database: Database, statement: str) -> None:
    with database.connect() as owner:
        owner.execute(statement.encode())


def test_a_mart_whose_column_vanished_or_was_retyped_is_named(
    oltp: Database, connection: DuckDBPyConnection
) -> None:
    """Its rows, and those of every other mart, stay as they were until it fits again."""
    built = marts.discovered()
    sync(connection, oltp)
    marts.refresh(connection)
    before = [connection.table(f"marts.{mart.name}").fetchall() for mart in built]
    change(oltp, "update campaigns.events set occurred_at = occurred_at + interval '1 day'")
    for table, wrong, right, told in (
        (
            "campaigns.leads",
            "drop column status cascade",
            "add column status text not null default 'new'",
            "lead_engagement .* the column status is missing in staging.leads; change sql/",
        ),
        (
            "integration.notifications",
            "drop column attempts cascade, add column attempts text",
            "drop column attempts, add column attempts integer not null default 0",
            "notification_daily .* a column of staging.notifications is of another type .*sum",
        ),
    ):
        change(oltp, f"alter table {table} {wrong}")
        assert sync(connection, oltp)[table].mode == "full"
        with pytest.raises(LabError, match=f"the mart {told}"):
            marts.refresh(connection)
        assert [connection.table(f"marts.{mart.name}").fetchall() for mart in built] == before
        change(oltp, f"alter table {table} {right}")
    sync(connection, oltp)
    assert_equal(connection, oltp)
    marts.refresh(connection)
    assert not any(stale(connection, mart) for mart in built)


def test_a_table_that_is_altered_as_the_sync_begins(
    oltp: Database, connection: DuckDBPyConnection
) -> None:
    sync(connection, oltp)
    before = watermarks(connection)
    described = describe(oltp)
    change(oltp, "alter table campaigns.leads drop column last_name")
    change(oltp, "update campaigns.leads set status = status")
    with pytest.raises(LabError, match="leads was altered while the sync began"):
        extraction.sync(connection, oltp, described)
    assert watermarks(connection) == before
    sync(connection, oltp)
    assert_equal(connection, oltp)


def test_a_restored_database_and_a_truncated_table_are_read_as_a_whole(
    oltp: Database, connection: DuckDBPyConnection
) -> None:
    """A restored one has the server and the incarnation of its origin, but not what came after.

    Of a table that was emptied for a restore no trigger tells that its rows are gone.
    """
    with databases.temporary(oltp, oltp) as restored:
        for database in (oltp, restored):
            with database.connect("lab_platform") as platform:
                platform.execute("insert into public.tenants (name) values ('of either')")
                incarnation = platform.execute(INCARNATION).fetchone()
        sync(connection, oltp)
        with oltp.connect() as owner:
            assert owner.execute(INCARNATION).fetchone() == incarnation
        assert modes(sync(connection, restored)) == {"full"}
        assert_equal(connection, restored)
        change(restored, "truncate campaigns.events")
        done = sync(connection, restored)
        assert done.pop("campaigns.events").mode == "full"
        assert modes(done) == {"none"}
        assert_equal(connection, restored)


def test_a_disk_that_fills_up_half_way_through_a_sync(oltp: Database, warehouse: Warehouse) -> None:
    """As a quota does. What was there stays, and with more room the next sync goes on from it."""
    with warehouse.open() as connection:
        sync(connection, oltp)
        before = watermarks(connection)
    change(oltp, ENLARGE)
    with (
        _largest_file(200_000),
        pytest.raises(LabError, match=r"the warehouse .* its disk is full.*OLTP_LAB_HOME"),
        warehouse.open() as connection,
    ):
        sync(connection, oltp)
    with warehouse.open() as connection:
        assert watermarks(connection) == before
        assert modes(sync(connection, oltp)) == {"none", "increment"}
        assert_equal(connection, oltp)


def test_no_room_for_what_is_spilled(warehouse: Warehouse) -> None:
    small = {**warehouse.connection_config, "memory_limit": "40MB", "threads": "1"}
    hasty = warehouse.model_copy(update={"connection_config": small})
    with pytest.raises(LabError, match="its disk is full"), hasty.open() as connection:
        connection.execute("set max_temp_directory_size = '1MB'")
        connection.execute(
            "create temp table t as select uuid() as id from range(3000000) order by 1"
        )


@contextmanager
def _largest_file(size: int) -> Iterator[None]:
    """No file of this process grows beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
