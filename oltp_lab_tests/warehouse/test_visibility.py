"""A reader who does not see every row is told so before anything is touched."""

import re

import pytest
from duckdb import DuckDBPyConnection

from oltp_lab.errors import LabError
from oltp_lab.servers import Database
from oltp_lab.warehouse import transactions
from oltp_lab.warehouse.tables import TableSpec, describe
from oltp_lab_tests.warehouse.business import assert_equal, count, sync, watermarks

BREAKS = {
    "drop policy analytics on campaigns.leads": "campaigns.leads: no policy for select",
    "alter policy analytics on public.tenants using (deleted is null)": "public.tenants: no pol",
    "alter policy analytics on integration.tombstones to lab_app": "integration.tombstones: no p",
    "create policy hours on campaigns.events as restrictive using (kind <> 'sent')": (
        "campaigns.events: the policy hours restricts what lab_analytics sees"
    ),
    "revoke select on campaigns.steps from lab_analytics": "campaigns.steps: lab_analytics may",
    "revoke usage on schema campaigns from lab_analytics": "campaigns.campaigns: lab_an",
    "alter table campaigns.leads disable trigger stamp_change": "campaigns.leads: it has no enab",
    "alter table campaigns.leads drop column change_xid": "campaigns.leads: it has no column ch",
    "alter table campaigns.leads disable trigger bury": "campaigns.leads: it has no enabled tr",
    "alter table campaigns.leads disable trigger keep_key": "campaigns.leads: it has no enabled",
}


@pytest.mark.parametrize("broken", BREAKS)
def test_a_table_that_is_not_seen_whole_is_named(database: Database, broken: str) -> None:
    with database.connect() as owner:
        owner.execute(broken.encode())
    with pytest.raises(LabError, match=re.escape(BREAKS[broken])):
        describe(database)


def test_nothing_is_touched_then(oltp: Database, connection: DuckDBPyConnection) -> None:
    sync(connection, oltp)
    with oltp.connect() as owner:
        owner.execute("drop policy analytics on campaigns.leads")
    with oltp.connect("lab_platform") as platform:
        platform.execute("update campaigns.leads set first_name = 'changed'")
        platform.execute("delete from campaigns.events")
    before = watermarks(connection)
    with pytest.raises(LabError, match=r"campaigns\.leads: no policy"):
        sync(connection, oltp)
    assert watermarks(connection) == before
    assert count(connection, "leads", "first_name = 'changed'") == 0
    assert count(connection, "events", "true") > 0


def test_harmless_policies_do_not_matter(oltp: Database, connection: DuckDBPyConnection) -> None:
    """Those of other roles, of other commands, and a restrictive one that restricts nothing."""
    with oltp.connect() as owner:
        owner.execute("create policy a on campaigns.leads as restrictive to lab_app using (false)")
        owner.execute("create policy b on campaigns.leads as restrictive for update using (false)")
        owner.execute("create policy c on campaigns.leads as restrictive for select using (true)")
        owner.execute("drop policy analytics on campaigns.leads")
        owner.execute("create policy everybody on campaigns.leads for select using (true)")
    sync(connection, oltp)
    assert_equal(connection, oltp)


def test_a_database_without_the_schema_is_named(empty: Database) -> None:
    with pytest.raises(LabError, match=rf"{empty.name} holds no schema yet: run the job `build`"):
        describe(empty)


def test_a_database_that_duckdb_cannot_reach_is_named(
    database: Database, connection: DuckDBPyConnection
) -> None:
    gone = database.sibling("oltp_lab_gone")
    with (
        pytest.raises(LabError, match=r"oltp_lab_gone on the .* as lab_analytics: see") as it,
        transactions.on_snapshot(connection, gone),
    ):
        pass
    assert "None" not in it.value.message


def test_a_wrong_description_is_named(database: Database) -> None:
    with pytest.raises(LabError, match=r"campaigns.leads is mirrored by the key .*primary key is"):
        describe(database, [TableSpec("campaigns", "leads", key=("id",))])
    with pytest.raises(LabError, match=r"campaigns\.gone: it does not exist"):
        describe(database, [TableSpec("campaigns", "gone")])


def test_a_type_that_the_warehouse_does_not_know_is_named(database: Database) -> None:
    with database.connect() as owner:
        owner.execute("alter table campaigns.leads add column place point")
    with pytest.raises(LabError, match=r"campaigns.leads.place has the type point.*types.toml"):
        describe(database)


def test_a_large_table_is_read_by_several_sessions(
    seeded: Database, connection: DuckDBPyConnection
) -> None:
    """As at scale challenge: DuckDB then asks the server for what the application may not know."""
    with transactions.on_snapshot(connection, seeded):
        connection.execute("set pg_pages_per_task = 1")
        answer = connection.execute("select count(*) from oltp.campaigns.events").fetchone()
    with seeded.connect("lab_platform") as platform:
        assert platform.execute("select count(*) from campaigns.events").fetchone() == answer
