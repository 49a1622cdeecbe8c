"""What the rows look like: tenants by Zipf's law, every status, keys and days in order."""

from typing import Any, LiteralString

import pytest

from oltp_lab.sample_data import scales
from oltp_lab.servers import Database


def _rows(database: Database, query: LiteralString) -> list[tuple[Any, ...]]:
    with database.connect("lab_platform") as connection:
        return connection.execute(query).fetchall()


def test_leads_follow_zipf_over_tenants(sample: Database) -> None:
    sizes = "select count(*) from campaigns.leads group by tenant_id order by 1 desc"
    counts = [count for (count,) in _rows(sample, sizes)]
    smoke = scales.sizes("smoke")
    ranks = range(1, smoke.sending_tenants + smoke.former_tenants + 1)
    harmonic = sum(1 / rank for rank in ranks)
    expected = [smoke.leads / rank / harmonic for rank in ranks]
    assert counts == [pytest.approx(share, abs=1) for share in expected]


STATUSES: list[tuple[LiteralString, str]] = [
    ("select distinct status from public.tenants", "active created deleted suspended"),
    (
        "select distinct status from campaigns.campaigns",
        "cancelled draft finished paused running scheduled",
    ),
    ("select distinct status from campaigns.enrollments", "active completed stopped"),
    ("select distinct status from campaigns.step_executions", "passed sent skipped"),
    (
        "select distinct status from campaigns.leads",
        "bounced complained contacted engaged new replied unsubscribed",
    ),
    (
        "select distinct kind from campaigns.events",
        "bounced clicked complained delivered opened replied sent unsubscribed",
    ),
    (
        "select distinct status from billing.subscriptions",
        "active canceled incomplete incomplete_expired past_due paused trialing unpaid",
    ),
    (
        "select distinct kind from billing.subscription_changes",
        "add_on cancellation created plan renewed resumed scheduled status",
    ),
    ("select distinct status from billing.invoices", "open paid uncollectible void"),
    (
        "select distinct reason from billing.invoices",
        "subscription_create subscription_cycle subscription_update",
    ),
    ("select distinct kind from billing.invoice_lines", "balance charge credit"),
    ("select distinct status from billing.payments", "failed pending succeeded"),
    ("select distinct status from billing.payment_attempts", "failed pending succeeded"),
    ("select distinct status from billing.refunds", "failed pending succeeded"),
    ("select distinct status from billing.webhook_events", "failed pending processed"),
]


@pytest.mark.parametrize(("query", "statuses"), STATUSES)
def test_every_status_occurs(sample: Database, query: LiteralString, statuses: str) -> None:
    assert sorted(status for (status,) in _rows(sample, query)) == statuses.split()


def test_former_tenants_have_a_history(sample: Database) -> None:
    statuses = _rows(
        sample,
        "select distinct t.status from public.tenants as t join campaigns.events as e"
        " on e.tenant_id = t.id where t.status <> 'active'",
    )
    assert {status for (status,) in statuses} == {"suspended", "deleted"}


def test_some_people_are_known_to_several_tenants(sample: Database) -> None:
    shared = "select from campaigns.leads group by email_norm having count(distinct tenant_id) > 1"
    assert len(_rows(sample, shared)) > 0


def test_rows_lie_in_the_order_of_days(sample: Database) -> None:
    """As they would have come in; a tenant's rows are not all in one place."""
    backwards = """
        select from (select occurred_at, lag(occurred_at) over (order by ctid) as before
                     from campaigns.events) as e
        where date_trunc('day', before at time zone 'UTC') > occurred_at at time zone 'UTC'
    """
    assert _rows(sample, backwards) == []
