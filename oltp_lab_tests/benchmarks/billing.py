"""Using up a limit, against a bare update of the same counter by its primary key."""

import uuid
from typing import Any

from oltp_lab import settings
from oltp_lab.servers import Database
from oltp_lab_tests.benchmarks import _turns
from oltp_lab_tests.benchmarks._scratch import scratch

_CALLS = {
    _turns.BARE: "update billing.usage_counters set used = used + 1 where tenant_id = '{tenant}'"
    " and feature_key = 'emails_per_month' and period_end = '{period_end}';\n",
    # Divides by zero when it is refused, which would be no work.
    "consume_limit": "select 1 / allowed::integer from"
    " billing.consume_limit('{tenant}', 'emails_per_month', 1);\n",
}


def measure_limits() -> list[dict[str, Any]]:
    """Calls per second of one session; each commit is durable, in both."""
    with scratch(settings.load()) as database:
        tenant, period_end = _subscriber(database)
        scripts = {
            arm: call.format(tenant=tenant, period_end=period_end) for arm, call in _CALLS.items()
        }
        return _turns.measure(database, str(tenant), scripts, goal=0.7)


def _subscriber(database: Database) -> tuple[uuid.UUID, str]:
    """A tenant that may send as much as it likes, and when its counter's period ends."""
    tenant = uuid.uuid4()
    with database.connect("lab_platform") as connection:
        for statement in (
            "insert into public.tenants (id, name, status) values (%s, 'Acme', 'active')",
            "select billing.create_subscription(%s, 'growth')",
            "select billing.set_override(%s, 'emails_per_month', 1000000000000, 'measuring')",
            "select billing.consume_limit(%s, 'emails_per_month', 1)",
        ):
            connection.execute(statement, [tenant])
        row = connection.execute(
            "select period_end::text from billing.usage_counters"
            " where tenant_id = %s and feature_key = 'emails_per_month'",
            [tenant],
        ).fetchone()
    assert row, "the first mail opens the counter"
    return tenant, row[0]
