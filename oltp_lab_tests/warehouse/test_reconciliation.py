"""Reconciliation finds what is wrong, names it, and takes nothing else for wrong."""

import threading
from datetime import timedelta

from duckdb import DuckDBPyConnection

from oltp_lab.servers import Database
from oltp_lab.warehouse import reconciliation
from oltp_lab.warehouse.reconciliation import Reconciled
from oltp_lab.warehouse.tables import describe
from oltp_lab_tests.warehouse.business import count, sync

TAMPERINGS = (
    ("update staging.leads set last_name = last_name || ' ' where id = ?", "stale"),
    ("update staging.leads set first_name = null where id = ?", "stale"),
    ("update staging.leads set custom_fields = '{}' where id = ?", "stale"),
    (
        "update staging.leads set created_at = created_at + interval 1 microsecond where id = ?",
        "stale",
    ),
    ("delete from staging.leads where id = ?", "missing"),
    ("insert into staging.leads select * from staging.leads where id = ?", "duplicate"),
)


def reconcile(connection: DuckDBPyConnection, database: Database) -> dict[str, Reconciled]:
    compared = reconciliation.reconcile(connection, database, describe(database))
    return {result.table_name: result for result in compared}


def test_every_tampered_row_is_named(oltp: Database, connection: DuckDBPyConnection) -> None:
    sync(connection, oltp)
    two_each = (
        "from staging.leads select tenant_id, id where first_name = '' "
        "qualify row_number() over (partition by tenant_id order by id) <= 2 order by all"
    )
    leads = connection.execute(two_each).fetchall()
    for (_, lead), (tampering, _) in zip(leads, TAMPERINGS, strict=True):
        assert connection.execute(tampering, [lead]).fetchone() == (1,)
    compared = reconcile(connection, oltp)
    found = compared.pop("campaigns.leads")
    assert found.differing == 3
    for (tenant, lead), (_, difference) in zip(leads, TAMPERINGS, strict=True):
        (told,) = (told for told in found.differences if str(tenant) in told)
        assert f"{difference}: {lead}" in told
    assert all(not result.differences for result in compared.values())


def test_a_difference_names_the_day_and_the_sum(
    oltp: Database, connection: DuckDBPyConnection
) -> None:
    """A row on another day shows on both; a table without days says so."""
    sync(connection, oltp)
    moved = "update staging.events set occurred_at = occurred_at + interval 3 day where rowid = 0"
    moved += " returning tenant_id, id, occurred_at::date"
    ((tenant, event, day),) = connection.execute(moved).fetchall()
    connection.execute("update staging.steps set position = position + 10 where rowid = 0")
    compared = reconcile(connection, oltp)
    events, steps = compared["campaigns.events"], compared["campaigns.steps"]
    told = f"of {day - timedelta(3)} in the OLTP and of {day} in the warehouse: {event}"
    assert (events.day_of, events.differing) == ("occurred_at", 2)
    for difference, on in zip(events.differences, (day - timedelta(3), day), strict=True):
        assert difference.startswith(f"tenant {tenant} has on {on} ")
        assert told in difference
    assert ", position 6 and 16 (stale: " in steps.differences[0]
    assert [t.table.name for t in describe(oltp) if t.day is None] == ["cost_shares"]


def test_a_row_deleted_behind_its_trigger_is_found(
    oltp: Database, connection: DuckDBPyConnection
) -> None:
    sync(connection, oltp)
    with oltp.connect() as owner:
        owner.execute("set local session_replication_role = replica")
        owner.execute("delete from campaigns.events")
    found = reconcile(connection, oltp)["campaigns.events"]
    assert found.differing == 9  # three tenants, three days
    assert "0 rows in the OLTP" in found.differences[0]
    assert "deleted in the OLTP: " in found.differences[0]


def test_writers_meanwhile_are_no_difference(
    oltp: Database, connection: DuckDBPyConnection
) -> None:
    sync(connection, oltp)
    stop = threading.Event()

    def write() -> None:
        with oltp.connect("lab_platform", autocommit=True) as platform:
            while not stop.is_set():
                platform.execute("update campaigns.leads set first_name = clock_timestamp()::text")
                platform.execute(
                    "delete from campaigns.events "
                    "where id = (select id from campaigns.events order by id limit 1)"
                )

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(3):
            assert all(not result.differences for result in reconcile(connection, oltp).values())
    finally:
        stop.set()
        writer.join()


def test_the_warehouse_is_left_as_it_was(oltp: Database, connection: DuckDBPyConnection) -> None:
    sync(connection, oltp)
    with oltp.connect("lab_platform") as platform:
        platform.execute("update campaigns.leads set first_name = 'newer'")
    reconcile(connection, oltp)
    assert count(connection, "leads", "first_name = 'newer'") == 0
    assert sync(connection, oltp)["campaigns.leads"].rows == 90


def test_a_warehouse_of_another_incarnation_is_no_match(
    oltp: Database, connection: DuckDBPyConnection
) -> None:
    def all_refused() -> bool:
        compared = reconcile(connection, oltp).values()
        return all("run the job `analytics_sync`" in r.differences[0] for r in compared)

    assert all_refused()  # an empty one neither
    sync(connection, oltp)
    with oltp.connect() as owner:
        owner.execute("update lab.incarnation set incarnation = gen_random_uuid()")
    assert all_refused()


def test_long_intervals_are_equal_on_both_sides(
    oltp: Database, connection: DuckDBPyConnection
) -> None:
    """PostgreSQL's year has 365.25 days, DuckDB's 360."""
    with oltp.connect("lab_platform") as platform:
        platform.execute("update campaigns.steps set delay = '3 years 5 mons 9 days 00:00:01.25'")
    sync(connection, oltp)
    assert reconcile(connection, oltp)["campaigns.steps"].differences == ()


def test_infinite_times_are_equal_on_both_sides(
    oltp: Database, connection: DuckDBPyConnection
) -> None:
    with oltp.connect("lab_platform") as platform:
        platform.execute(
            "update campaigns.enrollments set due_at = 'infinity', updated_at = '-infinity'"
        )
    sync(connection, oltp)
    assert reconcile(connection, oltp)["campaigns.enrollments"].differences == ()
    assert count(connection, "enrollments", "due_at = 'infinity'") > 0
