"""Live counters, events and marts agree, and whatever breaks one of them is named."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from duckdb import DuckDBPyConnection

from oltp_lab.resources.warehouse import Warehouse
from oltp_lab.servers import Database, databases
from oltp_lab.warehouse import live, marts
from oltp_lab_tests.warehouse.business import sync

LATE = """
    select e.tenant_id, e.campaign_id, e.lead_id, e.step_id from campaigns.events e
    join public.tenants t on t.id = e.tenant_id and t.status = 'active'
    join campaigns.enrollments r using (tenant_id, campaign_id, lead_id)
    join campaigns.step_executions x on x.tenant_id = e.tenant_id and x.enrollment_id = r.id
        and x.step_id = e.step_id and x.status = 'sent'
    where e.kind = 'sent' order by e.id desc limit 1
"""
RECORD = "select campaigns.record_event(%s, %s, %s, %s, 'opened', now(), true)"


@pytest.fixture(scope="module")
def oltp(seeded_template: Database) -> Iterator[Database]:
    """With an opened mail of this very moment, one of an hour ago, and a lead that is forgotten."""
    with databases.temporary(seeded_template, seeded_template) as clone:
        with clone.connect("lab_platform") as platform:
            mail = mail_of(platform)
            platform.execute(RECORD, mail)
            platform.execute(RECORD.replace("now()", "now() - interval '1 hour'"), mail)
            tenant, lead = platform.execute(
                "select tenant_id, lead_id from campaigns.events where tenant_id = %s "
                "and lead_id <> %s order by id limit 1",
                [mail[0], mail[2]],
            ).fetchone() or (None, None)
            assert platform.execute(
                "select campaigns.erase_lead(%s, %s)", [tenant, lead]
            ).fetchone() == (True,)
        yield clone


@pytest.fixture(scope="module")
def built(oltp: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDBPyConnection]:
    """The warehouse of it, synced once."""
    file = tmp_path_factory.mktemp("live") / "warehouse.duckdb"
    with Warehouse(database=str(file)).open() as connection:
        sync(connection, oltp)
        marts.refresh(connection)
        yield connection


def mail_of(session: psycopg.Connection) -> tuple[Any, ...]:
    """The keys of a mail that was sent."""
    row = session.execute(LATE).fetchone()
    assert row
    return row


def test_the_view_tells_the_last_minutes_of_the_tenant_alone(oltp: Database) -> None:
    with oltp.connect("lab_platform") as platform:
        tenant, campaign, *_ = mail_of(platform)
        (other,) = platform.execute(
            "select tenant_id from campaigns.live_metrics where tenant_id <> %s limit 1", [tenant]
        ).fetchone() or (None,)
    lately = (
        "select campaign_id, kind, last_15_minutes from campaigns.live_metrics "
        "where tenant_id = %s and last_15_minutes > 0"
    )
    for reader in ("lab_app", "lab_platform", "lab_analytics"):
        with oltp.connect(reader) as session:
            session.execute("select lab.enter_tenant(%s)", [tenant])
            assert session.execute(lately, [tenant]).fetchall() == [(campaign, "opened", 1)]
    asked = "select count(*) from campaigns.live_metrics where tenant_id = %s"
    with oltp.connect("lab_app") as session:
        assert session.execute(asked, [tenant]).fetchone() == (0,)  # nobody's context
        session.execute("select lab.enter_tenant(%s)", [other])
        assert session.execute(asked, [tenant]).fetchone() == (0,)
        assert session.execute(asked, [other]).fetchone() != (0,)


def test_all_three_agree_also_when_the_warehouse_is_behind(
    oltp: Database, built: DuckDBPyConnection
) -> None:
    with oltp.connect("lab_analytics") as reader:
        (forgotten,) = reader.execute(
            "select sum(forgotten) from campaigns.live_metrics"
        ).fetchone() or (0,)
        marks = built.table("staging.watermarks").fetchall()
    assert forgotten > 0
    assert live.differences(built, oltp) == []
    with oltp.connect("lab_platform") as platform:
        platform.execute(RECORD, mail_of(platform))
    assert live.differences(built, oltp) == []
    assert built.table("staging.watermarks").fetchall() == marks


def test_whatever_counts_wrongly_is_named(oltp: Database, built: DuckDBPyConnection) -> None:
    """Each in turn, and mended again."""
    with oltp.connect("lab_platform") as platform:
        tenant, campaign, *_ = mail_of(platform)
    counts = f"tenant {tenant} campaign {campaign}: "
    of_it = f"tenant_id = '{tenant}' and campaign_id = '{campaign}'"
    daily = f"update marts.campaign_daily set sent = sent {{}} 1 where {of_it}"  # noqa: S608
    mail = f"select max(id) from staging.events where kind in ('sent', 'lost') and {of_it}"  # noqa: S608
    event = f"update staging.events set kind = '{{}}' where id = ({mail})"  # noqa: S608
    counter = f"update campaigns.counters set {{}} where {of_it} and kind = 'sent' and slot = 0"  # noqa: S608

    def in_oltp(statement: str) -> None:
        with oltp.connect("lab_platform") as platform:
            platform.execute(statement.encode())

    for change, tampering, mending in (
        (built.execute, daily.format("+"), daily.format("-")),
        (built.execute, event.format("lost"), event.format("sent")),
        (in_oltp, counter.format("total = total + 1"), counter.format("total = total - 1")),
        (in_oltp, counter.format("forgotten = 1"), counter.format("forgotten = 0")),
    ):
        change(tampering)
        told = live.differences(built, oltp)
        assert [" sent by the live counters" in t for t in told if t.startswith(counts)], tampering
        assert all(t.startswith(counts) for t in told)
        change(mending)
        assert live.differences(built, oltp) == []


def test_a_load_runs_campaign_that_nothing_counted_is_passed_over(
    oltp: Database, built: DuckDBPyConnection
) -> None:
    with oltp.connect("lab_platform") as platform:
        tenant, campaign, *_ = mail_of(platform)
        own = [tenant, campaign]
        uncount = "update campaigns.counters set total = 0"
        platform.execute(f"{uncount} where tenant_id = %s and campaign_id = %s", own)
    assert live.differences(built, oltp) != []
    with oltp.connect("lab_platform") as platform:
        name = "update campaigns.campaigns set external_id = 'load:1'"
        platform.execute(f"{name} where tenant_id = %s and id = %s", own)
    assert live.differences(built, oltp) == []
