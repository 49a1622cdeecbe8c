"""The life of a subscription: every transition, every refusal, what waits for the period's end."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import product
from typing import Any

import psycopg
import pytest

from oltp_lab.servers import Database
from oltp_lab_tests.billing.conftest import START, Account, call, make_account, subscribe

STATUSES = (
    "incomplete", "incomplete_expired", "trialing", "active", "past_due", "canceled", "unpaid",
    "paused",
)  # fmt: skip
ALLOWED = {
    "incomplete": {"active", "incomplete_expired"},
    "trialing": {"active", "past_due", "paused", "canceled"},
    "active": {"past_due", "canceled"},
    "past_due": {"active", "unpaid", "canceled"},
    "unpaid": {"active", "canceled"},
    "paused": {"active", "canceled"},
    "canceled": set(),
    "incomplete_expired": set(),
}
NOT_NOW = psycopg.errors.ObjectNotInPrerequisiteState


def _in_status(account: Account, status: str) -> Any:
    ended = START if status in ("canceled", "incomplete_expired") else None
    (row,) = account.rows(
        "insert into billing.subscriptions (tenant_id, status, plan_key, period, started_at,"
        " anchor_at, period_start, period_end, trial_ends_at, ended_at)"
        " select %s, %s, 'growth', 'month', t, t, t, t + '30 days', t + '14 days', %s"
        " from (values (%s::timestamptz)) as begin (t) returning id",
        status, ended, START,
    )  # fmt: skip
    account.rows(
        "insert into billing.subscription_items (tenant_id, subscription_id, kind, product_key,"
        " price_key, unit_amount_cents, quantity, started_at, ended_at) select %s, %s, 'plan',"
        " 'growth', 'growth.month.1', 9900, 1, %s, %s returning id",
        row["id"], START, ended,
    )  # fmt: skip
    return row["id"]


@pytest.mark.parametrize(("before", "after"), list(product(STATUSES, STATUSES)))
def test_transitions(account: Account, before: str, after: str) -> None:
    subscription = _in_status(account, before)
    if after in ALLOWED[before]:
        account.do("move_subscription", subscription, after)
        s = account.subscription
        assert s["status"] == after
        assert (s["ended_at"] is not None) == (not ALLOWED[after])
        assert s["mrr_cents"] == (9900 if after in ("active", "past_due") else 0)
    elif before != after:
        with pytest.raises(psycopg.errors.CheckViolation, match=f"from {before} to {after}"):
            account.do("move_subscription", subscription, after)


def test_incomplete_until_it_is_paid(account: Account) -> None:
    account.do("create_subscription", "growth", "month", "pm_card", with_trial=False)
    assert account.status == "incomplete"
    assert call(account.connection, "current_plan", account.tenant) == [None]
    assert account.pay() == 1
    assert account.status == "active"
    assert call(account.connection, "current_plan", account.tenant) == ["growth"]
    assert account.subscription["period_end"] == START.replace(month=2, day=28)


def test_incomplete_expires_after_23_hours(account: Account) -> None:
    account.do("create_subscription", "growth", "month", "pm_bad", with_trial=False)
    account.pay(succeeded=False)
    account.later(hours=22, minutes=59)
    assert account.advance() == []
    assert account.pay() == 0, "a first invoice is not charged again by itself"
    account.later(minutes=1)
    assert account.advance() == ["incomplete_expired"]
    assert [v["status"] for v in account.invoices] == ["void"]
    account.do("create_subscription", "growth", "month", "pm_card", with_trial=False)
    assert account.status == "incomplete"


def test_another_card_saves_an_incomplete_one(account: Account) -> None:
    account.do("create_subscription", "growth", "month", "pm_bad", with_trial=False)
    account.pay(succeeded=False)
    account.later(hours=1)
    account.do("set_payment_method", "pm_card")
    account.pay()
    assert account.status == "active"


def test_a_trial_becomes_active_with_a_payment_method(account: Account) -> None:
    account.do("create_subscription", "growth", "month", "pm_card")
    assert account.status == "trialing"
    assert account.do("entitlement", "api_access") == 1
    account.later(days=14)
    assert account.advance() == ["renewed"]
    s = account.subscription
    assert (s["status"], s["period_start"]) == ("active", START + timedelta(days=14))
    account.pay()
    assert [(v["total_cents"], v["status"]) for v in account.invoices] == [(9900, "paid")]


def test_a_trial_is_paused_without_one_and_resumed_with_one(account: Account) -> None:
    account.do("create_subscription", "growth")
    account.later(days=14)
    assert account.advance() == ["paused"]
    account.later(days=50)
    assert account.advance() == []
    with pytest.raises(NOT_NOW, match="needs a payment method"):
        account.do("resume_subscription")
    assert account.do("resume_subscription", "pm_card")
    account.pay()
    s = account.subscription
    assert (s["status"], s["anchor_at"], s["period_start"]) == ("active", account.now, account.now)


def test_a_tenant_is_on_trial_once(account: Account) -> None:
    account.do("create_subscription", "growth")
    account.do("cancel_subscription", False)
    account.do("create_subscription", "starter")
    assert account.status == "incomplete"


def test_what_costs_nothing_is_active_at_once(account: Account) -> None:
    account.do("create_subscription", "free")
    assert (account.status, account.invoices) == ("active", [])
    account.now = account.subscription["period_end"]
    assert account.advance() == ["renewed"]
    assert account.invoices == []
    account.do("change_plan", "starter")
    assert [v["total_cents"] for v in account.invoices] == [2900]


def test_one_live_subscription(subscriber: Account) -> None:
    with pytest.raises(psycopg.errors.UniqueViolation, match="has a live subscription already"):
        subscriber.do("create_subscription", "scale")


def test_a_failed_renewal_is_retried_and_then_unpaid(subscriber: Account) -> None:
    subscriber.now = subscriber.subscription["period_end"]
    subscriber.advance()
    tried = []
    for _ in range(5):
        subscriber.pay(succeeded=False)
        tried.append(subscriber.status)
        (due,) = subscriber.rows("select next_attempt_at as at from billing.invoices"
                                 " where tenant_id = %s and status = 'open'")  # fmt: skip
        if due["at"]:
            tried.append(due["at"] - subscriber.now)
            subscriber.now = due["at"]
    assert tried == [
        "past_due", timedelta(days=1), "past_due", timedelta(days=3),
        "past_due", timedelta(days=5), "past_due", timedelta(days=7), "unpaid",
    ]  # fmt: skip
    assert subscriber.subscription["mrr_cents"] == 0
    subscriber.do("set_payment_method", "pm_card")
    assert subscriber.pay() == 1
    assert subscriber.status == "active"
    assert subscriber.do("entitlement", "api_access") == 1


def test_without_a_payment_method_a_renewal_fails(subscriber: Account) -> None:
    subscriber.do("set_payment_method", None)
    subscriber.now = subscriber.subscription["period_end"]
    subscriber.advance()
    assert subscriber.claim() == []
    assert subscriber.status == "past_due"


def test_a_downgrade_waits_for_the_period(subscriber: Account) -> None:
    end = subscriber.subscription["period_end"]
    subscriber.later(days=3)
    assert subscriber.do("change_plan", "starter") == {"effective_at": end, "invoice_id": None}
    assert call(subscriber.connection, "current_plan", subscriber.tenant) == ["growth"]
    with pytest.raises(NOT_NOW, match="or will be"):
        subscriber.do("change_plan", "starter")
    subscriber.now = end
    assert subscriber.advance() == ["renewed"]
    assert call(subscriber.connection, "current_plan", subscriber.tenant) == ["starter"]
    assert subscriber.invoices[-1]["total_cents"] == 2900


def test_a_downgrade_is_withdrawn(subscriber: Account) -> None:
    subscriber.do("change_plan", "starter")
    subscriber.do("change_plan", "growth")
    with pytest.raises(NOT_NOW, match="is that already"):
        subscriber.do("change_plan", "growth")
    subscriber.now = subscriber.subscription["period_end"]
    subscriber.advance()
    assert subscriber.subscription["plan_key"] == "growth"


def test_from_year_to_month_waits_and_takes_the_add_ons_along(account: Account) -> None:
    subscribe(account, "growth", new_period="year")
    account.do("set_add_on", "extra_users", 3)
    account.pay()
    account.do("change_plan", "starter", "month")
    account.later(days=100)
    account.do("set_add_on", "extra_emails", 1)
    account.pay()
    account.do("set_add_on", "extra_users", 2)
    account.now = account.subscription["period_end"]
    account.advance()
    s = account.subscription
    assert (s["period"], s["plan_key"], s["period_start"]) == ("month", "starter", account.now)
    assert account.lines(account.invoices[-1]["id"]) == [
        ("charge", 900), ("charge", 1000), ("charge", 2900),
    ]  # fmt: skip


def test_fewer_of_an_add_on_wait_for_the_period(subscriber: Account) -> None:
    subscriber.do("set_add_on", "extra_users", 3)
    subscriber.pay()
    subscriber.do("set_add_on", "extra_users", 1)
    assert subscriber.do("entitlement", "users") == 18
    subscriber.do("set_add_on", "extra_users", 0)
    subscriber.now = subscriber.subscription["period_end"]
    subscriber.advance()
    assert subscriber.do("entitlement", "users") == 15
    assert subscriber.invoices[-1]["total_cents"] == 9900


def test_who_has_a_price_keeps_it(database: Database) -> None:
    with database.connect("lab_platform", autocommit=True) as platform:
        old = subscribe(make_account(platform), "growth")
        assert call(platform, "set_price", "growth", "month", 12_000, at=START) == [
            "growth.month.2"
        ]
        new = subscribe(make_account(platform), "growth")
        for account in (old, new):
            account.now = account.subscription["period_end"]
        old.advance()
        old.pay()
        assert [a.invoices[-1]["total_cents"] for a in (old, new)] == [9900, 12_000]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            platform.execute("update billing.prices set amount_cents = 1")


def test_cancellation_waits_for_the_period_and_can_be_withdrawn(subscriber: Account) -> None:
    subscriber.do("cancel_subscription")
    with pytest.raises(NOT_NOW, match="already"):
        subscriber.do("cancel_subscription")
    subscriber.do("resume_subscription")
    with pytest.raises(NOT_NOW, match="nothing to resume"):
        subscriber.do("resume_subscription")
    subscriber.do("cancel_subscription")
    assert subscriber.do("entitlement", "api_access") == 1
    subscriber.now = subscriber.subscription["period_end"]
    assert subscriber.advance() == ["canceled"]
    assert subscriber.do("entitlement", "api_access") == 0
    with pytest.raises(psycopg.errors.NoDataFound, match="no live subscription"):
        subscriber.do("cancel_subscription")


def test_a_canceled_debtor_is_not_charged_again(subscriber: Account) -> None:
    subscriber.now = subscriber.subscription["period_end"]
    subscriber.advance()
    subscriber.pay(succeeded=False)
    subscriber.do("cancel_subscription", False)
    subscriber.later(days=30)
    assert subscriber.pay() == 0
    assert subscriber.invoices[-1]["status"] == "open"


def test_who_began_first_and_came_last_changes_it_last(account: Account) -> None:
    """A change that waited for one of a transaction begun later counts from when that did."""
    began = account.now
    account.do("create_subscription", "starter")
    account.later(seconds=1)
    account.do("change_plan", "growth")
    later, account.now = account.now, began
    assert account.do("change_plan", "scale")["effective_at"] == later
    assert account.subscription["plan_key"] == "scale"
    account.do("set_add_on", "extra_emails", 1)
    account.do("cancel_subscription", False)
    assert account.subscription["ended_at"] == later
    assert account.breaches() == []


@pytest.mark.parametrize("status", ["incomplete", "past_due", "unpaid", "paused"])
def test_only_a_running_subscription_is_changed(account: Account, status: str) -> None:
    _in_status(account, status)
    for change, *wanted in (
        ("change_plan", "scale"), ("set_add_on", "extra_users", 1), ("cancel_subscription",),
    ):  # fmt: skip
        with pytest.raises(NOT_NOW, match=f"is {status}: only a trialing or active one"):
            account.do(change, *wanted)


def test_refusals(subscriber: Account) -> None:
    bad = psycopg.errors.InvalidParameterValue
    for error, why, change, *wanted in (
        (bad, "no plan platinum is offered by the month", "change_plan", "platinum"),
        (bad, "no plan extra_users is offered", "change_plan", "extra_users"),
        (bad, "offered by the week", "change_plan", "scale", "week"),
        (bad, "no add-on growth", "set_add_on", "growth", 1),
        (bad, "not -1 of it", "set_add_on", "extra_users", -1),
        (NOT_NOW, "is that already", "set_add_on", "extra_users", 0),
    ):
        with pytest.raises(error, match=why):
            subscriber.do(change, *wanted)
    subscriber.do("change_plan", "scale")
    with pytest.raises(NOT_NOW, match="has an open invoice"):
        subscriber.do("change_plan", "enterprise")
    subscriber.pay()
    subscriber.now = subscriber.subscription["period_end"]
    with pytest.raises(NOT_NOW, match="about to be renewed"):
        subscriber.do("change_plan", "enterprise")


def test_one_that_cannot_be_renewed_does_not_hold_up_the_rest(database: Database) -> None:
    with database.connect("lab_platform", autocommit=True) as platform:
        stuck = subscribe(make_account(platform), "growth", new_period="year")
        stuck.do("set_add_on", "extra_users", 1)
        stuck.pay()
        stuck.do("change_plan", "starter", "month")
        platform.execute(
            "update billing.prices set active_until = %s where key = 'extra_users.month.1'",
            [stuck.now + timedelta(days=1)],
        )
        fine = subscribe(make_account(platform), "growth", new_period="year")
        stuck.now = fine.now = fine.subscription["period_end"]
        outcomes = {
            row["tenant_id"]: row["outcome"]
            for row in call(platform, "advance_subscriptions", at=stuck.now)
        }
    assert outcomes[fine.tenant] == "renewed"
    assert "no price is offered for extra_users" in outcomes[stuck.tenant]


def test_racing_workers_renew_each_once(ledger: Database, platform: psycopg.Connection) -> None:
    accounts = [subscribe(make_account(platform), "starter") for _ in range(20)]
    due = accounts[0].subscription["period_end"]

    def work(_: int) -> list[Any]:
        with ledger.connect("lab_platform", autocommit=True) as session:
            done = call(session, "advance_subscriptions", 1000, at=due)
            return [row["tenant_id"] for row in done]

    with ThreadPoolExecutor(4) as pool:
        renewed = [tenant for done in pool.map(work, range(4)) for tenant in done]
    for account in accounts:
        assert renewed.count(account.tenant) == 1
        assert [v["number"] for v in account.invoices] == [1, 2]


def test_racing_changes_bill_once(ledger: Database, subscriber: Account) -> None:
    def change(_: int) -> str:
        with ledger.connect("lab_platform", autocommit=True) as session:
            try:
                call(session, "change_plan", subscriber.tenant, "scale", at=subscriber.now)
            except NOT_NOW:
                return "refused"
            return "changed"

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(change, range(6))) == ["changed"] + ["refused"] * 5
    assert [v["total_cents"] for v in subscriber.invoices] == [9900, 20_000]


def test_the_application_subscribes_and_changes_for_its_tenant(
    ledger: Database, account: Account
) -> None:
    with ledger.connect("lab_app", autocommit=True) as app:

        def do(function: str, *arguments: object) -> None:
            with app.transaction():
                app.execute("select lab.enter_tenant(%s)", [account.tenant])
                call(app, function, account.tenant, *arguments, at=account.now)

        do("create_subscription", "growth", "month", "pm_card")
        do("change_plan", "scale")
        do("set_add_on", "extra_users", 2)
        do("cancel_subscription")
        do("resume_subscription")
        account.later(days=14)
        account.advance()
        account.pay()
        do("change_plan", "scale", "year")
        account.pay()
        do("change_plan", "starter", "month")
        do("set_payment_method", "pm_other")
        do("cancel_subscription", False)
        other = subscribe(make_account(account.connection), "growth")
        with pytest.raises(psycopg.errors.NoDataFound), app.transaction():
            app.execute("select lab.enter_tenant(%s)", [account.tenant])
            call(app, "change_plan", other.tenant, "scale", at=START)
    assert account.status == "canceled"
