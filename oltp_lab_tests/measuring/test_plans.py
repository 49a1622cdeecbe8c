"""Generic plans: those that there are, why there are none, and that nothing is executed."""

import pytest

from oltp_lab.measuring import plans
from oltp_lab.servers import Database

LOOKUP = "select * from campaigns.leads where tenant_id = $1 and email_norm = $2"


@pytest.mark.parametrize(
    ("query", "told"),
    [
        (LOOKUP, "Index Scan"),
        ("delete from campaigns.leads where tenant_id = $1 and added_at < now() - interval $2",
         "no plan: column"),
        ("select now() - interval $1", "Result"),
        ("select lab.enter_tenant($1)", "what the function does is not seen here"),
        ("begin", "no plan: a utility statement"),
        ("select nonsense($1)", "no plan: function nonsense"),
    ],
)  # fmt: skip
def test_each_has_a_plan_or_says_why_not(database: Database, query: str, told: str) -> None:
    (plan,) = plans.generic(database, [{"query": query, "role": "lab_app"}])
    assert told in plan


def test_one_that_cannot_be_explained_does_not_stop_the_next(database: Database) -> None:
    rows = [{"query": "select $1 +", "role": "lab_app"}, {"query": LOOKUP, "role": "nobody_at_all"},
            {"query": LOOKUP, "role": "lab_app"}]  # fmt: skip
    broken, unknown, fine = plans.generic(database, rows)
    assert broken.startswith("no plan: syntax error")
    assert unknown == 'no plan: role "nobody_at_all" does not exist'
    assert "Index Scan" in fine


def test_row_level_security_is_planned_too(database: Database) -> None:
    (plan,) = plans.generic(database, [{"query": LOOKUP, "role": "lab_app"}])
    assert "nile.tenant_id" in plan
