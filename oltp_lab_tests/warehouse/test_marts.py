"""Marts equal what the same question gives in the OLTP database."""

import pytest
from duckdb import DuckDBPyConnection

from oltp_lab.errors import LabError
from oltp_lab.servers import Database
from oltp_lab.warehouse import marts
from oltp_lab.warehouse.marts import Mart
from oltp_lab.warehouse.tables import describe
from oltp_lab_tests.warehouse.business import sync

DAILY = Mart("campaign_daily")
KINDS = (
    "sent",
    "delivered",
    "opened",
    "clicked",
    "replied",
    "bounced",
    "complained",
    "unsubscribed",
)

_ASKED_OF_OLTP = """
select e.tenant_id, e.campaign_id, c.name, (e.occurred_at at time zone 'UTC')::date, e.kind,
       count(*)
from campaigns.events e
join campaigns.campaigns c on c.tenant_id = e.tenant_id and c.id = e.campaign_id
group by 1, 2, 3, 4, 5
"""


def build(connection: DuckDBPyConnection, database: Database) -> None:
    sync(connection, database)
    marts.refresh(connection, [DAILY])


def test_campaign_daily_equals_the_oltp(oltp: Database, connection: DuckDBPyConnection) -> None:
    build(connection, oltp)
    with oltp.connect("lab_platform") as platform:
        platform.execute(
            "update campaigns.campaigns set name = 'renamed' where name = 'campaign 1'"
        )
        platform.execute("delete from campaigns.events where kind = 'clicked'")
        platform.execute("set timezone = 'Asia/Tokyo'")
        asked = platform.execute(_ASKED_OF_OLTP).fetchall()
    build(connection, oltp)
    connection.execute("set timezone = 'America/Lima'")
    answered = connection.execute(
        f"select tenant_id, campaign_id, campaign_name, day, kind, events from "  # noqa: S608
        f"(unpivot marts.campaign_daily on {', '.join(KINDS)} into name kind value events) "
        "where events > 0"
    ).fetchall()
    rates = connection.execute(
        "select count(*) from marts.campaign_daily "
        "where delivery_rate is distinct from case when sent > 0 then delivered / sent end "
        "or open_rate is distinct from case when delivered > 0 then opened / delivered end"
    ).fetchone()
    assert len({day for *_, day, _, _ in asked}) > 2
    assert sorted(answered) == sorted(asked)
    assert rates == (0,)


def test_without_staging_there_is_no_mart(connection: DuckDBPyConnection) -> None:
    with pytest.raises(LabError, match=r"no staging\.campaigns, staging\.events yet"):
        marts.refresh(connection, [DAILY])
    with pytest.raises(LabError, match="no mart campaign_daily in the warehouse yet"):
        marts.refuse_unbuilt(connection, [DAILY])


def test_every_column_is_documented_down_to_its_source(
    oltp: Database, connection: DuckDBPyConnection
) -> None:
    build(connection, oltp)
    staged = {(d.table.name, column.name) for d in describe(oltp) for column in d.columns}
    marts.refresh(connection)
    for mart in marts.discovered():
        columns = marts.columns(connection, mart)
        assert list(mart.lineage) == [name for name, _, _ in columns]
        assert all(comment for _, _, comment in columns)
        assert {source for sources in mart.lineage.values() for source in sources} <= staged
        assert mart.description
