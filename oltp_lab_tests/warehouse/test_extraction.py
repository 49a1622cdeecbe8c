"""The two-snapshot delta: what was committed is mirrored, once, and nothing else."""

import time

import pytest
from duckdb import DuckDBPyConnection
from psycopg import IntegrityError
from psycopg.sql import SQL, Identifier

from oltp_lab import sql
from oltp_lab.servers import Database
from oltp_lab.warehouse import extraction, transactions
from oltp_lab.warehouse.tables import MIRRORED, describe
from oltp_lab_tests.warehouse.business import LEADS, assert_equal, count, modes, sync, watermarks

RENAME = "update campaigns.leads set first_name = %s where email = 'Lead1@one.example'"
ADD = """
insert into campaigns.leads (tenant_id, email)
select id, %s || n || '@one.example' from public.tenants, generate_series(1, %s) as n
"""


def test_first_sync_reads_all_and_documents_it(
    oltp: Database, connection: DuckDBPyConnection
) -> None:
    done = sync(connection, oltp)
    assert modes(done) == {"full"}
    assert done["campaigns.leads"].rows == 90
    assert_equal(connection, oltp)
    undocumented = connection.execute(
        "select table_name, column_name from duckdb_columns() "
        "where schema_name = 'staging' and coalesce(comment, '') = ''"
    ).fetchall()
    columns = connection.table("staging.leads").columns
    types = [str(type_) for type_ in connection.table("staging.leads").types]
    assert undocumented == []
    assert "change_xid" not in columns
    assert types[columns.index("custom_fields")] == "JSON"


def test_a_delta_holds_what_changed_and_what_was_deleted(
    oltp: Database, connection: DuckDBPyConnection
) -> None:
    sync(connection, oltp)
    with oltp.connect("lab_platform") as platform:
        platform.execute(RENAME, ["Ada"])
        platform.execute("delete from campaigns.events where kind = 'unsubscribed'")
        platform.execute("insert into public.tenants (name) values ('newcomer')")
    done = sync(connection, oltp)
    assert (done["campaigns.leads"].mode, done["campaigns.leads"].rows) == ("increment", 3)
    assert done["campaigns.events"].rows == 0
    assert done["campaigns.events"].deleted > 0
    assert done["public.tenants"].rows == 1
    assert done["campaigns.steps"].mode == "none"
    assert_equal(connection, oltp)
    assert modes(sync(connection, oltp)) == {"none"}


def test_deleted_and_inserted_again_is_there_once(
    oltp: Database, connection: DuckDBPyConnection
) -> None:
    sync(connection, oltp)
    with oltp.connect("lab_platform") as platform:
        (row,) = platform.execute("select to_jsonb(s) from campaigns.step_executions s limit 1")
        platform.execute("delete from campaigns.step_executions where id = %s", [row[0]["id"]])
        platform.execute(
            "insert into campaigns.step_executions "
            "(tenant_id, id, enrollment_id, step_id, status, due_at) values "
            "(%(tenant_id)s, %(id)s, %(enrollment_id)s, %(step_id)s, 'sent', now())",
            row[0],
        )
    sync(connection, oltp)
    assert_equal(connection, oltp)


def test_what_was_rolled_back_never_comes(oltp: Database, connection: DuckDBPyConnection) -> None:
    sync(connection, oltp)
    with oltp.connect("lab_platform") as platform:
        platform.execute(RENAME, ["rolled back"])
        platform.rollback()
        platform.execute(RENAME, ["kept"])
        platform.execute("savepoint inner_one")
        platform.execute(RENAME, ["undone"])
        platform.execute("delete from campaigns.events")
        platform.execute("rollback to savepoint inner_one")
    sync(connection, oltp)
    assert_equal(connection, oltp)


def test_a_transaction_that_was_overtaken_is_not_lost(
    oltp: Database, connection: DuckDBPyConnection
) -> None:
    """The case that loses rows to every cursor over updated_at; the naive one here proves it."""
    sync(connection, oltp)
    newest = "select max(updated) from public.tenants"
    with oltp.connect("lab_platform") as slow, oltp.connect("lab_platform") as quick:
        slow.execute("insert into public.tenants (name) values ('overtaken')")
        time.sleep(0.01)
        quick.execute("insert into public.tenants (name) values ('overtaking')")
        quick.commit()
        sync(connection, oltp)
        (cursor,) = quick.execute(newest).fetchone() or (None,)
        quick.commit()
        slow.commit()
        naive = quick.execute("select name from public.tenants where updated > %s", [cursor])
        assert naive.fetchall() == []
    assert sync(connection, oltp)["public.tenants"].rows == 1
    assert_equal(connection, oltp)


def test_everything_in_a_transaction_reads_one_snapshot(
    oltp: Database, connection: DuckDBPyConnection
) -> None:
    """Queries sent as text, and the sessions of a parallel scan of an attached table."""
    counted = "select count(*) from postgres_query('oltp', 'select * from campaigns.leads')"
    with oltp.connect("lab_platform", autocommit=True) as platform:
        with transactions.on_snapshot(connection, oltp, keep=False):
            connection.execute("set pg_pages_per_task = 1")
            assert connection.execute(counted).fetchone() == (90,)
            platform.execute("update campaigns.leads set first_name = 'later'")
            platform.execute(ADD, ["late", 1])
            assert connection.execute(counted).fetchone() == (90,)
            scanned = (
                "select count(*), count(*) filter (first_name = 'later') from oltp.campaigns.leads"
            )
            assert connection.execute(scanned).fetchone() == (90, 0)
        with transactions.on_snapshot(connection, oltp, keep=False):
            assert connection.execute(scanned).fetchone() == (93, 90)


def test_another_incarnation_is_read_as_a_whole(
    oltp: Database, connection: DuckDBPyConnection
) -> None:
    sync(connection, oltp)
    with oltp.connect() as owner:
        owner.execute("update lab.incarnation set incarnation = gen_random_uuid()")
    assert modes(sync(connection, oltp)) == {"full"}
    assert_equal(connection, oltp)


def test_a_table_described_otherwise_is_read_as_a_whole(
    oltp: Database, connection: DuckDBPyConnection
) -> None:
    sync(connection, oltp)
    for change in (
        "alter table campaigns.leads add column nickname text",
        "alter table campaigns.leads drop column last_name",
        "alter table campaigns.leads alter first_name type bigint using length(first_name)",
    ):
        with oltp.connect() as owner:
            owner.execute(change.encode())
        done = sync(connection, oltp)
        assert done.pop("campaigns.leads").mode == "full"
        assert modes(done) == {"none"}
        assert_equal(connection, oltp)


def test_another_server_is_read_as_a_whole(oltp: Database, connection: DuckDBPyConnection) -> None:
    sync(connection, oltp)
    connection.execute("update staging.watermarks set server = '1/00000001'")
    connection.execute("delete from staging.leads")
    assert modes(sync(connection, oltp)) == {"full"}
    assert_equal(connection, oltp)


def test_full_refresh_heals_what_no_delta_can(
    oltp: Database, connection: DuckDBPyConnection
) -> None:
    sync(connection, oltp)
    connection.execute("delete from staging.leads")
    sync(connection, oltp)
    with pytest.raises(AssertionError):
        assert_equal(connection, oltp)
    assert modes(sync(connection, oltp, full_refresh=True)) == {"full"}
    assert_equal(connection, oltp)


def test_lag_counts_from_commit_to_commit(oltp: Database, connection: DuckDBPyConnection) -> None:
    sync(connection, oltp)
    with oltp.connect("lab_platform") as platform:
        platform.execute(RENAME, ["early"])
        time.sleep(0.6)  # inside the transaction: not yet committed, so not late
        committing = time.monotonic()
        platform.commit()
    time.sleep(0.3)
    done = sync(connection, oltp)["campaigns.leads"]
    assert done.lag_p50_s is not None and done.age_s is not None
    assert 0.3 <= done.lag_p50_s <= time.monotonic() - committing + 0.1
    assert done.lag_p50_s == done.lag_p99_s
    assert 0 < done.age_s <= done.lag_p50_s


def test_a_failing_sync_keeps_nothing(oltp: Database, connection: DuckDBPyConnection) -> None:
    """Rows and watermarks are one transaction."""
    sync(connection, oltp)
    before = watermarks(connection)
    with oltp.connect("lab_platform") as platform:
        platform.execute(RENAME, ["Ada"])
    with (
        pytest.raises(KeyboardInterrupt),
        transactions.on_snapshot(connection, oltp) as taken,
    ):
        for description in describe(oltp):
            extraction.bring_up(connection, description, taken)
        raise KeyboardInterrupt
    assert watermarks(connection) == before
    assert count(connection, "leads", "first_name = 'Ada'") == 0
    assert sync(connection, oltp)["campaigns.leads"].rows == 3
    assert_equal(connection, oltp)


def test_the_delta_is_found_by_brin_under_row_security(oltp: Database) -> None:
    with oltp.connect(autocommit=True) as owner:
        owner.execute(ADD, ["many", 5000])
        owner.execute("vacuum analyze campaigns.leads")
    (description,) = describe(oltp, [LEADS])
    with oltp.connect("lab_analytics", autocommit=True) as reader:
        state = sql.queries("warehouse/staging/oltp.sql")["state"]
        (since, *_) = reader.execute(state).fetchone() or ("",)
        with oltp.connect("lab_platform") as platform:
            platform.execute(RENAME, ["Ada"])
        query = extraction._changed(description, since)
        assert len(reader.execute(query.encode()).fetchall()) == 3
        plan = reader.execute(b"explain (analyze, buffers, format json) " + query.encode())
        ((explained,),) = plan.fetchall()
    assert "leads_change_xid_idx" in str(explained)
    assert explained[0]["Plan"]["Shared Hit Blocks"] < 60, explained


def test_snapshots_are_text_of_digits_only() -> None:
    assert transactions.xmin("787:790:787,789") == 787
    with pytest.raises(ValueError, match="no snapshot"):
        transactions.xmin("787:790:'); drop table x; --")


def test_every_mirrored_table_tracks_its_changes(database: Database) -> None:
    with database.connect() as administrator:
        tracked = administrator.execute(
            "select table_schema, table_name from information_schema.columns "
            "where column_name = 'change_xid' and table_name <> 'tombstones'"
        ).fetchall()
    assert {(t.schema, t.name) for t in MIRRORED} == set(tracked)


KEPT = r"for good|foreign key"


def test_a_key_is_for_good(seeded: Database) -> None:
    """Whichever half would change, in whichever table; foreign keys may be the first to object."""
    with seeded.connect() as owner:
        for table in MIRRORED:
            for column in table.key:
                change = SQL("update {0} set {1} = {2} where id = (select id from {0} limit 1)")
                parts = table.source, Identifier(column)
                owner.execute(change.format(*parts, Identifier(column)))
                with pytest.raises(IntegrityError, match=KEPT), owner.transaction():
                    owner.execute(change.format(*parts, SQL("public.uuid_generate_v7()")))


def test_a_key_that_changed_would_leave_a_phantom(
    oltp: Database, connection: DuckDBPyConnection
) -> None:
    with oltp.connect() as owner:
        owner.execute(ADD, ["new", 1])
    sync(connection, oltp)
    with oltp.connect() as owner:
        owner.execute("alter table campaigns.leads disable trigger keep_key")
        owner.execute(
            "update campaigns.leads set id = public.uuid_generate_v7() where email like 'new%'"
        )
        owner.execute("alter table campaigns.leads enable trigger keep_key")
    sync(connection, oltp)
    assert count(connection, "leads", "email like 'new%'") == 2 * 3
