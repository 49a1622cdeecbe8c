"""Limits are exact, whoever asks at the same time; what changes them changes them at once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import psycopg
import pytest

from oltp_lab.servers import Database
from oltp_lab_tests.billing.conftest import START, Account, call, make_account, subscribe

RACERS = 12


def _consume(account: Account, feature: str, amount: int = 1) -> dict:
    return account.do("consume_limit", feature, amount)


def _at_limit_minus_one(account: Account, feature: str) -> int:
    maximum = account.do("entitlement", feature)
    _consume(account, feature, maximum - 1)
    return maximum


def _race(ledger: Database, account: Account, statement: str, parameters: list) -> list:
    """The first column of what as many sessions get that run the same statement at once."""
    start = threading.Barrier(RACERS)

    def run(_: int) -> object:
        with ledger.connect("lab_platform", autocommit=True) as session:
            start.wait(timeout=30)
            row = session.execute(statement, parameters).fetchone()  # type: ignore[arg-type]
            return row and row[0]

    with ThreadPoolExecutor(RACERS) as pool:
        return list(pool.map(run, range(RACERS)))


def test_all_or_nothing(subscriber: Account) -> None:
    assert _consume(subscriber, "domains", 9) == {
        "allowed": True, "used": 9, "maximum": 10, "refusal": None,
    }  # fmt: skip
    assert _consume(subscriber, "domains", 2) == {
        "allowed": False, "used": 9, "maximum": 10, "refusal": "limit_reached",
    }  # fmt: skip
    assert _consume(subscriber, "domains", 1)["allowed"]


def test_racing_at_the_last_one_lets_exactly_one_through(
    ledger: Database, subscriber: Account
) -> None:
    maximum = _at_limit_minus_one(subscriber, "leads")
    got = _race(
        ledger,
        subscriber,
        "select allowed from billing.consume_limit(%s, 'leads', 1, %s)",
        [subscriber.tenant, subscriber.now],
    )
    assert sorted(got) == [False] * (RACERS - 1) + [True]
    assert _consume(subscriber, "leads")["used"] == maximum


def test_the_race_is_one_that_looking_first_loses(ledger: Database, subscriber: Account) -> None:
    """The negative control: who looks and then writes what was allowed lets more through."""
    maximum = _at_limit_minus_one(subscriber, "leads")
    _race(
        ledger,
        subscriber,
        "with seen as materialized (select used, maximum, pg_sleep(0.2) from billing.usage_counters"
        " where tenant_id = %s and feature_key = 'leads')"
        " update billing.usage_counters c set used = c.used + 1 from seen"
        " where c.tenant_id = %s and c.feature_key = 'leads' and seen.used < seen.maximum"
        " returning true",
        [subscriber.tenant, subscriber.tenant],
    )
    assert subscriber.do("release_limit", "leads", 1) + 1 > maximum


def test_racing_to_open_a_month_loses_nothing(ledger: Database, subscriber: Account) -> None:
    got = _race(
        ledger,
        subscriber,
        "select used from billing.consume_limit(%s, 'emails_per_month', 1, %s)",
        [subscriber.tenant, subscriber.now],
    )
    assert sorted(got) == list(range(1, RACERS + 1))


def test_a_change_of_plan_and_a_new_counter_see_each_other(
    ledger: Database, subscriber: Account
) -> None:
    """Whoever comes first, the counter ends with the limit of the new plan."""
    with ledger.connect("lab_platform") as changing, ThreadPoolExecutor(1) as pool:
        call(changing, "change_plan", subscriber.tenant, "scale", at=subscriber.now)

        def open_counter() -> dict:
            with ledger.connect("lab_platform", autocommit=True) as session:
                (row,) = call(
                    session, "consume_limit", subscriber.tenant, "users", 1, at=subscriber.now
                )
                return row

        waiting = pool.submit(open_counter)
        with pytest.raises(TimeoutError):
            waiting.result(timeout=0.5)
        changing.commit()
        assert waiting.result(timeout=30)["maximum"] == 50


def test_a_month_begins_again_and_the_old_one_stays(subscriber: Account) -> None:
    _consume(subscriber, "emails_per_month", 100_000)
    assert not _consume(subscriber, "emails_per_month")["allowed"]
    subscriber.later(days=1)  # February
    assert _consume(subscriber, "emails_per_month")["used"] == 1
    assert subscriber.rows(
        "select used, period_end::text from billing.usage_counters"
        " where tenant_id = %s order by period_end"
    ) == [
        {"used": 100_000, "period_end": "2026-02-01 00:00:00+00"},
        {"used": 1, "period_end": "2026-03-01 00:00:00+00"},
    ]


def test_a_new_subscription_does_not_begin_the_month_again(subscriber: Account) -> None:
    _consume(subscriber, "emails_per_month", 90_000)
    subscriber.do("cancel_subscription", False)
    assert _consume(subscriber, "emails_per_month")["refusal"] == "not_included"
    subscribe(subscriber, "growth")
    assert _consume(subscriber, "emails_per_month", 10_001)["refusal"] == "limit_reached"
    assert _consume(subscriber, "emails_per_month", 10_000)["used"] == 100_000


def test_what_is_released_can_be_consumed_again(subscriber: Account) -> None:
    _consume(subscriber, "domains", 10)
    assert subscriber.do("release_limit", "domains", 3) == 7
    assert _consume(subscriber, "domains", 3)["allowed"]
    assert subscriber.do("release_limit", "domains", 99) == 0


def test_after_a_downgrade_one_may_give_back_but_not_take(subscriber: Account) -> None:
    _consume(subscriber, "domains", 10)
    subscriber.do("change_plan", "starter")
    subscriber.later(days=31)
    subscriber.advance()
    assert _consume(subscriber, "domains") == {
        "allowed": False, "used": 10, "maximum": 2, "refusal": "limit_reached",
    }  # fmt: skip
    assert subscriber.do("release_limit", "domains", 9) == 1
    assert _consume(subscriber, "domains")["allowed"]


def test_unlimited(account: Account) -> None:
    subscribe(account, "enterprise")
    assert account.do("entitlement", "leads") is None
    assert _consume(account, "leads", 10**12) == {
        "allowed": True, "used": 10**12, "maximum": None, "refusal": None,
    }  # fmt: skip


def test_without_a_subscription_nothing_is_granted(account: Account) -> None:
    assert _consume(account, "leads") == {
        "allowed": False, "used": 0, "maximum": 0, "refusal": "no_subscription",
    }  # fmt: skip
    assert account.do("entitlement", "api_access") == 0
    assert account.do("entitlement", "leads") == 0
    (plan,) = call(account.connection, "current_plan", account.tenant)
    assert plan is None


@pytest.mark.parametrize(
    ("status", "granted"),
    [
        ("active", True),
        ("past_due", True),
        ("unpaid", False),
        ("paused", False),
        ("incomplete", False),
    ],
)
def test_which_statuses_give_access(account: Account, status: str, granted: bool) -> None:
    card = None if status == "paused" else "pm_card"
    account.do("create_subscription", "growth", "month", card, with_trial=status != "incomplete")
    account.later(days=14)
    if status != "incomplete":
        account.advance()
    for _ in range({"past_due": 1, "unpaid": 5}.get(status, 0)):
        account.pay(succeeded=False)
        account.later(days=7)
    assert account.status == status
    assert bool(account.do("entitlement", "api_access")) == granted
    assert _consume(account, "leads")["allowed"] == granted


def test_add_ons_add(subscriber: Account) -> None:
    assert subscriber.do("entitlement", "users") == 15
    _consume(subscriber, "users", 15)
    subscriber.do("set_add_on", "extra_users", 4)
    assert subscriber.do("entitlement", "users") == 19
    assert _consume(subscriber, "users", 4)["maximum"] == 19
    assert subscriber.do("entitlement", "priority_support") == 0
    subscriber.pay()
    subscriber.do("set_add_on", "priority_support", 2)
    assert subscriber.do("entitlement", "priority_support") == 1


def test_an_override_holds_for_its_time(subscriber: Account) -> None:
    _consume(subscriber, "domains", 10)
    subscriber.do("set_override", "domains", 12, "promised by sales", START + timedelta(days=7))
    assert _consume(subscriber, "domains", 2)["maximum"] == 12
    subscriber.do(
        "set_override", "users", 3, "abuse",
        START + timedelta(days=20), starts_at=START + timedelta(days=10),
    )  # fmt: skip
    assert _consume(subscriber, "users", 4)["maximum"] == 15
    subscriber.later(days=7)
    assert _consume(subscriber, "domains")["maximum"] == 10
    subscriber.later(days=3)
    assert _consume(subscriber, "users") == {
        "allowed": False, "used": 4, "maximum": 3, "refusal": "limit_reached",
    }  # fmt: skip
    subscriber.later(days=10)
    assert _consume(subscriber, "users")["maximum"] == 15


def test_overrides_replace_one_another_and_can_be_ended(subscriber: Account) -> None:
    _consume(subscriber, "domains", 10)
    subscriber.do("set_override", "domains", 11, "first")
    subscriber.do("set_override", "domains", None, "same moment")
    assert _consume(subscriber, "domains", 50)["maximum"] is None
    subscriber.later(days=1)
    subscriber.do("set_override", "domains", 0, "blocked")
    assert _consume(subscriber, "domains")["refusal"] == "not_included"
    subscriber.later(days=1)
    assert subscriber.do("end_override", "domains")
    assert not subscriber.do("end_override", "domains")
    assert _consume(subscriber, "domains")["maximum"] == 10
    assert subscriber.rows(
        "select value, ends_at - starts_at = '1 day' as a_day from billing.overrides"
        " where tenant_id = %s order by starts_at"
    ) == [{"value": None, "a_day": True}, {"value": 0, "a_day": True}]


def test_overrides_never_overlap(subscriber: Account) -> None:
    subscriber.do("set_override", "users", 20, "later", starts_at=START + timedelta(days=5))
    with pytest.raises(psycopg.errors.ExclusionViolation):
        subscriber.do("set_override", "users", 30, "now, for ever")


def test_a_limit_changes_for_everybody_who_has_the_product(database: Database) -> None:
    with database.connect("lab_platform", autocommit=True) as platform:
        plans = ("growth", "growth", "starter")
        accounts = [subscribe(make_account(platform), plan) for plan in plans]
        for account in accounts:
            _consume(account, "domains")
        assert call(platform, "set_limit", "growth", "domains", 77, at=START) == [2]
        assert [_consume(a, "domains")["maximum"] for a in accounts] == [77, 77, 2]


def test_usage_lists_every_metered_feature(subscriber: Account) -> None:
    _consume(subscriber, "emails_per_month", 5)
    usage = {
        row["feature_key"]: (row["used"], row["maximum"])
        for row in call(subscriber.connection, "usage", subscriber.tenant, subscriber.now)
    }
    assert usage["emails_per_month"] == (5, 100_000)
    assert usage["leads"] == (0, 50_000)
    assert "api_access" not in usage


@pytest.mark.parametrize("feature", ["api_access", "event_retention_days", "no_such_feature"])
def test_only_metered_features_are_consumed(subscriber: Account, feature: str) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="is not metered"):
        _consume(subscriber, feature)


@pytest.mark.parametrize("amount", [0, -1, None])
def test_amounts_are_positive(subscriber: Account, amount: int | None) -> None:
    for function in ("consume_limit", "release_limit"):
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="amount of"):
            subscriber.do(function, "leads", amount)


def test_the_application_consumes_in_its_own_tenant_only(
    ledger: Database, subscriber: Account
) -> None:
    other = subscribe(make_account(subscriber.connection), "growth")
    _consume(other, "leads")
    with ledger.connect("lab_app") as app:
        app.execute("select lab.enter_tenant(%s)", [subscriber.tenant])
        (mine,) = call(app, "consume_limit", subscriber.tenant, "leads", 1, at=START)
        assert (mine["allowed"], mine["used"]) == (True, 1)
        (theirs,) = call(app, "consume_limit", other.tenant, "leads", 1, at=START)
        assert theirs["refusal"] == "no_subscription"
        for forbidden in (
            "update billing.product_features set value = null",
            "insert into billing.overrides (tenant_id, feature_key, reason, starts_at)"
            " values (lab.current_tenant(), 'leads', 'please', now())",
            "update billing.payments set status = 'succeeded'",
            "update billing.invoices set status = 'paid'",
            "select from billing.webhook_events",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), app.transaction():
                app.execute(forbidden)  # type: ignore[arg-type]
    assert _consume(other, "leads")["used"] == 2
