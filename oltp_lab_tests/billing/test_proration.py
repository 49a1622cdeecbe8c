"""Proration to the second as Stripe does it, to the day as Lago does it, and what it may credit."""

import calendar
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from math import floor

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oltp_lab_tests.billing.conftest import START, Account, call, make_account, subscribe

in_database = settings(
    max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
moments = st.datetimes(datetime(2024, 1, 1), datetime(2034, 1, 1), timezones=st.just(UTC))
cents = st.integers(0, 10**9)


def _rounded(share: Fraction) -> int:
    """Half away from zero, of what is not negative."""
    return floor(share + Fraction(1, 2))


def _months_on(anchor: datetime, months: int) -> datetime:
    year, month = divmod(anchor.month - 1 + months, 12)
    year, month = anchor.year + year, month + 1
    return anchor.replace(
        year=year, month=month, day=min(anchor.day, calendar.monthrange(year, month)[1])
    )


def _prorate(connection: psycopg.Connection, *arguments: object) -> int:
    (value,) = call(connection, "prorate", *arguments)
    return value


@in_database
@given(amount=cents, start=moments, months=st.sampled_from([1, 12]), part=st.floats(0, 1))
def test_to_the_second(
    platform: psycopg.Connection, amount: int, start: datetime, months: int, part: float
) -> None:
    end = _months_on(start, months)
    at = start + (end - start) * part
    remaining, whole = (
        int(end.timestamp()) - int(at.timestamp()),
        int(end.timestamp()) - int(start.timestamp()),
    )
    expected = _rounded(Fraction(amount * remaining, whole))
    assert _prorate(platform, amount, start, end, at) == expected


@in_database
@given(amount=cents, start=moments, months=st.sampled_from([1, 12]), part=st.floats(0, 1))
def test_to_the_day(
    platform: psycopg.Connection, amount: int, start: datetime, months: int, part: float
) -> None:
    end = _months_on(start, months)
    at = start + (end - start) * part

    def day(moment: datetime) -> date:
        return moment.astimezone(UTC).date()

    expected = _rounded(Fraction(amount * (day(end) - day(at)).days, (day(end) - day(start)).days))
    assert _prorate(platform, amount, start, end, at, "day") == expected


@in_database
@given(amount=cents, start=moments, parts=st.lists(st.floats(-0.5, 1.5), min_size=2, max_size=2))
def test_it_falls_from_all_to_nothing(
    platform: psycopg.Connection, amount: int, start: datetime, parts: list[float]
) -> None:
    end = _months_on(start, 1)
    early, late = (start + (end - start) * part for part in sorted(parts))
    assert _prorate(platform, amount, start, end, start) == amount
    assert _prorate(platform, amount, start, end, end) == 0
    assert (
        0
        <= _prorate(platform, amount, start, end, late)
        <= _prorate(platform, amount, start, end, early)
        <= amount
    )


@in_database
@given(
    anchor=moments, period=st.sampled_from(["month", "year"]), ahead=st.floats(0, 5 * 366 * 86400)
)
def test_periods_are_counted_from_the_anchor(
    platform: psycopg.Connection, anchor: datetime, period: str, ahead: float
) -> None:
    after = anchor + timedelta(seconds=ahead)
    step = 12 if period == "year" else 1
    ends = (_months_on(anchor, step * n) for n in range(1, 100))
    (found,) = call(platform, "period_end", anchor, period, after)
    assert found == next(end for end in ends if end > after)


def test_examples_of_stripe_and_lago(platform: psycopg.Connection) -> None:
    june, july = datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
    half = datetime(2026, 6, 16, tzinfo=UTC)
    assert _prorate(platform, 1000, june, july, half) == 500
    assert _prorate(platform, 2000, june, july, half) == 1000
    january, february = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    fifteenth = datetime(2026, 1, 15, 18, 30, tzinfo=UTC)
    assert 10_000 - _prorate(platform, 10_000, january, february, fifteenth, "day") == 4516


def _halfway(account: Account) -> None:
    s = account.subscription
    account.now = s["period_start"] + (s["period_end"] - s["period_start"]) / 2


def _preview(account: Account, product: str, **named: object) -> list[tuple[str, int, int]]:
    lines = call(
        account.connection, "preview_change", account.tenant, product, at=account.now, **named
    )
    return sorted(
        (line["kind"], line["amount_cents"], line["amount_by_day_cents"]) for line in lines
    )


def test_an_upgrade_bills_each_side_by_itself(subscriber: Account) -> None:
    _halfway(subscriber)
    assert _preview(subscriber, "scale") == [("charge", 14_950, 14_950), ("credit", -4950, -4950)]
    changed = subscriber.do("change_plan", "scale")
    assert changed["effective_at"] == subscriber.now
    assert subscriber.lines(changed["invoice_id"]) == [("credit", -4950), ("charge", 14_950)]
    assert subscriber.invoices[-1]["total_cents"] == 10_000
    assert subscriber.subscription["period_end"] == START.replace(month=2, day=28)
    assert subscriber.subscription["plan_key"] == "scale"


@in_database
@given(part=st.floats(0, 0.999999), quantity=st.integers(1, 9))
def test_what_is_previewed_is_billed(
    platform: psycopg.Connection, part: float, quantity: int
) -> None:
    account = subscribe(make_account(platform), "starter")
    s = account.subscription
    account.now += (s["period_end"] - s["period_start"]) * part
    seconds = (s["period_end"] - START).total_seconds()
    remaining = int(s["period_end"].timestamp()) - int(account.now.timestamp())
    for operation, product, wanted, price in (
        ("set_add_on", "extra_users", quantity, 500 * quantity),
        ("change_plan", "growth", None, 9900),
    ):
        shown = _preview(account, product, **({"quantity": wanted} if wanted else {}))
        assert ("charge", _rounded(Fraction(price * remaining, int(seconds)))) in {
            line[:2] for line in shown
        }
        changed = account.do(operation, product, *([wanted] if wanted else []))
        if changed["invoice_id"]:
            assert account.lines(changed["invoice_id"]) == sorted(
                (line[:2] for line in shown), key=lambda line: line[1]
            )
        account.pay()


def test_repeated_upgrades_credit_what_the_last_one_charged(subscriber: Account) -> None:
    _halfway(subscriber)
    subscriber.do("change_plan", "scale")
    subscriber.pay()
    changed = subscriber.do("change_plan", "enterprise")
    assert subscriber.lines(changed["invoice_id"]) == [("credit", -14_950), ("charge", 49_950)]


def test_what_was_refunded_is_not_credited(subscriber: Account) -> None:
    (payment,) = subscriber.rows("select id from billing.payments where tenant_id = %s")
    subscriber.do("refund_payment", payment["id"], 5000, "r1", "unhappy")
    changed = subscriber.do("change_plan", "scale")
    assert subscriber.lines(changed["invoice_id"]) == [("credit", -4900), ("charge", 29_900)]


def test_a_credit_never_exceeds_what_was_paid_though_the_time_was_worth_more(
    subscriber: Account,
) -> None:
    subscriber.execute("update billing.invoice_lines set amount_cents = 100 where tenant_id = %s")
    assert _preview(subscriber, "scale") == [("charge", 29_900, 29_900), ("credit", -100, -100)]


def test_a_trial_changes_for_nothing(account: Account) -> None:
    account.do("create_subscription", "starter")
    account.later(days=3)
    assert account.do("change_plan", "scale", "year") == {
        "effective_at": account.now, "invoice_id": None,
    }  # fmt: skip
    assert account.do("set_add_on", "extra_users", 2)["invoice_id"] is None
    assert account.invoices == []
    s = account.subscription
    assert (s["status"], s["plan_key"], s["period"]) == ("trialing", "scale", "year")
    assert s["period_end"] == START + timedelta(days=14)
    account.do("set_payment_method", "pm_card")
    account.later(days=11)
    assert account.advance() == ["renewed"]
    (invoice,) = account.invoices
    assert invoice["total_cents"] == 299_000 + 2 * 5000


def test_from_month_to_year_begins_a_new_period(subscriber: Account) -> None:
    subscriber.do("set_add_on", "extra_users", 3)
    subscriber.pay()
    _halfway(subscriber)
    now = subscriber.now
    changed = subscriber.do("change_plan", "growth", "year")
    assert subscriber.lines(changed["invoice_id"]) == [
        ("credit", -4950), ("credit", -750), ("charge", 15_000), ("charge", 99_000),
    ]  # fmt: skip
    s = subscriber.subscription
    assert (s["period"], s["anchor_at"], s["period_start"]) == ("year", now, now)
    assert s["period_end"] == now.replace(year=2027)


def test_credit_that_is_left_pays_for_what_comes(account: Account) -> None:
    subscribe(account, "starter", new_period="year")
    changed = account.do("change_plan", "growth", "month")
    assert account.lines(changed["invoice_id"]) == [
        ("credit", -29_000), ("charge", 9900), ("balance", 19_100),
    ]  # fmt: skip
    totals = []
    for _ in range(3):
        account.now = account.subscription["period_end"]
        account.advance()
        account.pay()
        totals.append((account.invoices[-1]["total_cents"], account.invoices[-1]["status"]))
    assert totals == [(0, "paid"), (700, "paid"), (9900, "paid")]
    assert call(account.connection, "credit_balance", account.tenant) == [0]


def test_a_month_begun_on_the_31st_comes_back_to_it(subscriber: Account) -> None:
    ends = []
    for _ in range(3):
        ends.append(subscriber.subscription["period_end"].date())
        subscriber.now = subscriber.subscription["period_end"]
        subscriber.advance()
        subscriber.pay()
    assert ends == [date(2026, 2, 28), date(2026, 3, 31), date(2026, 4, 30)]


@pytest.mark.parametrize("by", ["week", None])
def test_other_units_are_no_proration(platform: psycopg.Connection, by: str | None) -> None:
    assert _prorate(platform, 1000, START, START + timedelta(days=30), START, by) is None
