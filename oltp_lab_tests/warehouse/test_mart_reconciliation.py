"""What a mart holds otherwise than staging is named, by tenant, day and key; nothing else is."""

import pytest
from duckdb import DuckDBPyConnection

from oltp_lab.errors import LabError
from oltp_lab.servers import Database
from oltp_lab.warehouse import mart_reconciliation, marts, transactions
from oltp_lab.warehouse.marts import Mart
from oltp_lab.warehouse.tables import describe
from oltp_lab_tests.warehouse.business import sync

DAILY = Mart("campaign_daily")
# What is done to one of its rows behind the mart's back, and whether the totals tell of it, or only
# rows made anew.
TAMPERINGS = {
    "lost": ("delete from marts.campaign_daily where rowid = ?", True),
    "doubled": ("insert into marts.campaign_daily from marts.campaign_daily where rowid = ?", True),
    "changed": ("update marts.campaign_daily set bounced = bounced + 1 where rowid = ?", True),
    "moved": ("update marts.campaign_daily set day = day + 9 where rowid = ?", True),
    "another's": ("update marts.campaign_daily set campaign_id = uuid() where rowid = ?", False),
    "renamed": ("update marts.campaign_daily set campaign_name = '?' where rowid = ?", False),
    "rated": ("update marts.campaign_daily set bounce_rate = 0.5 where rowid = ?", False),
}


def reconcile(connection: DuckDBPyConnection, database: Database) -> dict[str, list[str]]:
    compared = mart_reconciliation.reconcile(connection, database, describe(database))
    return {mart.name: differences for mart, differences in compared.items()}


def test_whatever_is_done_behind_its_back_is_named(
    oltp: Database, connection: DuckDBPyConnection
) -> None:
    """While marts are behind staging and staging behind the OLTP; and all is left as it was."""
    with pytest.raises(LabError, match="run the job `analytics_sync`"):
        reconcile(connection, oltp)
    sync(connection, oltp)
    marts.refresh(connection)
    with oltp.connect("lab_platform") as platform:
        platform.execute("delete from campaigns.events where kind = 'opened'")
    sync(connection, oltp)
    with oltp.connect("lab_platform") as platform:
        platform.execute("delete from campaigns.events where kind = 'clicked'")
    before = connection.table("marts.campaign_daily").order("all").fetchall()
    assert reconcile(connection, oltp) == {mart.name: [] for mart in marts.discovered()}
    assert connection.table("marts.campaign_daily").order("all").fetchall() == before

    marts.refresh(connection)
    found = "select rowid, tenant_id, campaign_id, day from marts.campaign_daily where bounced > 0"
    row, tenant, campaign, day = connection.execute(found).fetchone() or ("",) * 4
    for name, (tampering, in_totals) in TAMPERINGS.items():
        with transactions.transaction(connection, keep=False):
            assert connection.execute(tampering, [row]).fetchone() == (1,), name
            told = mart_reconciliation.differences(connection, DAILY)
        totals = [sentence for sentence in told if " in the mart and " in sentence]
        assert any(t.startswith(f"tenant {tenant} has on {day} ") for t in totals) == in_totals, (
            name
        )
        assert any(
            t.startswith(f"tenant_id: {tenant}, campaign_id: {campaign}, day: {day}: ")
            for t in told
        ), name


def test_a_tampered_mart_is_found_though_it_is_refreshed_first(
    oltp: Database, connection: DuckDBPyConnection
) -> None:
    """And each row has its turn when only some are made anew."""
    sync(connection, oltp)
    marts.refresh(connection)
    connection.execute(TAMPERINGS["changed"][0], [0])
    found = reconcile(connection, oltp)
    assert found.pop(DAILY.name)[0].startswith("tenant ")
    assert not any(found.values())
    with pytest.MonkeyPatch.context() as patch:
        marts.refresh(connection, full_refresh=True)
        connection.execute(TAMPERINGS["rated"][0], [0])
        patch.setattr(mart_reconciliation, "SLICE", 5)
        slices = connection.table("marts.campaign_daily").shape[0] // 5
        told = []
        for turn in range(slices):
            now = turn * mart_reconciliation.TURN_S
            patch.setattr(mart_reconciliation.time, "time", lambda now=now: now)
            told += mart_reconciliation.differences(connection, DAILY)
        assert slices > 2
        assert len(told) == 1
