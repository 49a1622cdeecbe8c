"""Events come twice, late and in any order; the end is the same."""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import count, pairwise
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from oltp_lab.servers import Database
from oltp_lab_tests.billing.conftest import START, Account, call, make_account, subscribe
from oltp_lab_tests.billing.test_subscriptions import ALLOWED

_numbers = count(1)


def _event(account: Account, kind: str, at: datetime, **told: Any) -> dict[str, Any]:
    return {
        "id": f"evt_{uuid.uuid4().hex}",
        "type": kind,
        "created": int(at.timestamp()),
        "data": {"object": {"customer": f"cus_{account.tenant}", **told}},
    }


def _status_event(account: Account, status: str, at: datetime, **told: Any) -> dict[str, Any]:
    kind = "deleted" if status == "canceled" else "updated"
    metadata = {"subscription_id": str(account.subscription["id"])}
    return _event(
        account,
        f"customer.subscription.{kind}",
        at,
        id="sub_1",
        status=status,
        metadata=metadata,
        **told,
    )


def _receive(account: Account, *events: dict[str, Any]) -> list[bool]:
    return [call(account.connection, "receive_webhook", Jsonb(e), account.now)[0] for e in events]


def _process(account: Account, *events: dict[str, Any]) -> list[str]:
    """Outcomes, in the order of the given events."""
    done = call(account.connection, "process_webhooks", 1000, account.now)
    outcomes = {row["event_id"]: row["outcome"] for row in done}
    return [outcomes.get(event["id"], "not processed") for event in events]


def _inbox(account: Account, event: dict[str, Any]) -> dict[str, Any]:
    return account.rows(
        "select *, %s::uuid from billing.webhook_events where id = %s", event["id"]
    )[0]


@pytest.fixture
def customer(account: Account) -> Account:
    """A paying tenant that the provider knows."""
    return _customer(account)


def _customer(account: Account) -> Account:
    return _linked(subscribe(account, "growth"))


def _linked(account: Account) -> Account:
    call(account.connection, "link_customer", account.tenant, f"cus_{account.tenant}")
    return account


def test_an_event_is_kept_once(customer: Account) -> None:
    event = _status_event(customer, "past_due", START + timedelta(hours=1))
    assert _receive(customer, event, event) == [True, False]
    assert _process(customer, event) == ["applied"]
    assert _receive(customer, event) == [False]
    assert _process(customer, event) == ["not processed"]
    assert customer.status == "past_due"
    assert _inbox(customer, event)["owner_tenant_id"] == customer.tenant


def test_an_older_event_never_overwrites_what_is_newer(customer: Account) -> None:
    newer = _status_event(customer, "canceled", START + timedelta(hours=2))
    older = _status_event(customer, "past_due", START + timedelta(hours=1))
    _receive(customer, newer)
    assert _process(customer, newer) == ["applied"]
    _receive(customer, older)
    assert _process(customer, older) == ["stale"]
    assert customer.status == "canceled"


def test_our_own_operations_are_newer_than_older_events(customer: Account) -> None:
    event = _status_event(customer, "active", START + timedelta(hours=1), cancel_at_period_end=True)
    customer.later(hours=2)
    customer.do("cancel_subscription")
    customer.do("resume_subscription")
    _receive(customer, event)
    assert _process(customer, event) == ["stale"]
    assert not customer.subscription["cancel_at_period_end"]


def test_states_that_were_skipped_are_walked_through(customer: Account) -> None:
    event = _status_event(customer, "unpaid", START + timedelta(days=20))
    _receive(customer, event)
    assert _process(customer, event) == ["applied"]
    walked = customer.rows(
        "select status from billing.subscription_changes where tenant_id = %s order by id"
    )
    assert [row["status"] for row in walked][-2:] == ["past_due", "unpaid"]


@st.composite
def _histories(draw: st.DrawFn) -> tuple[list[tuple[str, int]], list[int]]:
    """A walk through the states with the seconds between, and an order of delivery with repeats."""
    walk = [("active", 1)]
    for _ in range(draw(st.integers(1, 5))):
        follows = sorted(ALLOWED[walk[-1][0]])
        if follows:
            walk.append((draw(st.sampled_from(follows)), draw(st.integers(1, 5))))
    events = list(range(len(walk)))
    repeated = events + draw(st.lists(st.sampled_from(events), max_size=4))
    return walk, draw(st.permutations(repeated))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(history=_histories(), batch=st.integers(1, 4))
def test_any_order_with_any_repeats_ends_the_same(
    platform: psycopg.Connection, history: tuple[list[tuple[str, int]], list[int]], batch: int
) -> None:
    walk, deliveries = history
    assert all(after in ALLOWED[before] for (before, _), (after, _) in pairwise(walk))
    account = _customer(make_account(platform))
    moment, events = START, []
    for status, seconds in walk:
        moment += timedelta(seconds=seconds)
        events.append(_status_event(account, status, moment))
    account.now = moment + timedelta(hours=1)
    for n, delivery in enumerate(deliveries):
        _receive(account, events[delivery])
        if n % batch == 0:
            _process(account)
    _process(account)
    assert account.status == walk[-1][0]
    assert {_inbox(account, event)["status"] for event in events} == {"processed"}
    assert account.breaches() == []


def test_within_one_second_the_later_state_is_newer(customer: Account) -> None:
    at = START + timedelta(hours=1)
    events = [_status_event(customer, status, at) for status in ("past_due", "active")]
    for event in events:
        _receive(customer, event)
        _process(customer)
    assert customer.status == "past_due"


def test_payments_are_confirmed_by_events(account: Account) -> None:
    call(account.connection, "link_customer", account.tenant, f"cus_{account.tenant}")
    account.do("create_subscription", "growth", "month", "pm_card", with_trial=False)
    (claimed,) = account.claim()

    def told(kind: str, minutes: int, **more: Any) -> dict[str, Any]:
        metadata = {"attempt_id": str(claimed["attempt_id"])}
        at = START + timedelta(minutes=minutes)
        return _event(account, f"payment_intent.{kind}", at, id="pi_1", metadata=metadata, **more)

    failed = told("payment_failed", 1, last_payment_error={"code": "card_declined"})
    succeeded = told("succeeded", 2)
    _receive(account, succeeded)
    assert _process(account, succeeded) == ["applied"]
    _receive(account, failed)
    _process(account)
    assert account.status == "active"
    assert account.breaches() == []
    (payment,) = account.rows("select * from billing.payments where tenant_id = %s")
    assert (payment["status"], payment["provider_id"]) == ("succeeded", "pi_1")


def test_refunds_are_confirmed_by_events(customer: Account) -> None:
    (payment,) = customer.rows("select id from billing.payments where tenant_id = %s")
    refund = customer.do("refund_payment", payment["id"], 500, "r1", "sorry")["refund_id"]
    event = _event(
        customer, "refund.updated", START, id="re_1", status="succeeded",
        metadata={"refund_id": str(refund)},
    )  # fmt: skip
    _receive(customer, event)
    assert _process(customer, event) == ["applied"]
    (row,) = customer.rows("select * from billing.refunds where tenant_id = %s")
    assert (row["status"], row["provider_id"]) == ("succeeded", "re_1")


def test_what_nobody_handles_is_ignored(customer: Account) -> None:
    event = _event(customer, "customer.updated", START)
    _receive(customer, event)
    assert _process(customer, event) == ["ignored"]
    assert _inbox(customer, event)["status"] == "processed"


def test_an_event_before_its_customer_waits_for_it(account: Account) -> None:
    subscribe(account, "growth")
    event = _status_event(account, "past_due", START + timedelta(hours=1))
    _receive(account, event)
    assert _process(account, event) == ["failed"]
    waiting = _inbox(account, event)
    assert (waiting["status"], waiting["attempts"]) == ("pending", 1)
    assert "is not known yet" in waiting["outcome"]
    _linked(account)
    assert _process(account, event) == ["not processed"], "not before it is due"
    account.later(minutes=2)
    assert _process(account, event) == ["applied"]
    assert account.status == "past_due"


def test_what_fails_for_three_days_is_kept_and_can_be_retried(account: Account) -> None:
    subscribe(account, "growth")
    event = _status_event(account, "past_due", START + timedelta(days=7))
    _receive(account, event)
    while _inbox(account, event)["status"] == "pending":
        account.now = _inbox(account, event)["retry_at"]
        _process(account)
    assert timedelta(days=2) < account.now - START < timedelta(days=3)
    _linked(account)
    (retried,) = call(account.connection, "retry_webhook", event["id"], account.now)
    assert retried
    assert call(account.connection, "retry_webhook", event["id"], account.now) == [False]
    assert _process(account, event) == ["applied"]


def test_an_event_about_another_tenant_s_subscription_is_not_applied(customer: Account) -> None:
    other = subscribe(make_account(customer.connection), "growth")
    event = _status_event(other, "canceled", START + timedelta(hours=1))
    event["data"]["object"]["customer"] = f"cus_{customer.tenant}"
    _receive(customer, event)
    assert _process(customer, event) == ["failed"]
    assert other.status == "active"
    other.retire()


def test_one_that_fails_does_not_stop_the_others(customer: Account) -> None:
    broken = _status_event(customer, "no_such_status", START + timedelta(hours=1))
    fine = _status_event(customer, "past_due", START + timedelta(hours=2))
    _receive(customer, broken, fine)
    assert _process(customer, broken, fine) == ["failed", "applied"]
    assert customer.status == "past_due"


def test_what_the_machine_forbids_is_not_applied(customer: Account) -> None:
    event = _status_event(customer, "paused", START + timedelta(hours=1))
    _receive(customer, event)
    assert _process(customer, event) == ["failed"]
    assert "cannot go from active to paused" in _inbox(customer, event)["outcome"]
    assert customer.status == "active"


def test_a_customer_is_one_tenant_s(account: Account) -> None:
    other = make_account(account.connection)
    customer = f"cus_{next(_numbers)}"
    for _ in range(2):
        call(account.connection, "link_customer", account.tenant, customer)
    with pytest.raises(psycopg.errors.UniqueViolation, match="another tenant's"):
        call(account.connection, "link_customer", other.tenant, customer)
    with pytest.raises(psycopg.errors.UniqueViolation):
        call(account.connection, "link_customer", account.tenant, f"cus_{next(_numbers)}")
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="does not exist"):
        call(account.connection, "link_customer", uuid.uuid4(), "cus_nobody")


@pytest.fixture
def quiet(platform: psycopg.Connection) -> Iterator[None]:
    """No event of another test is pending."""
    platform.execute("delete from billing.webhook_events")
    yield


@pytest.mark.usefixtures("quiet")
def test_racing_workers_process_each_event_once(ledger: Database, customer: Account) -> None:
    events = [_event(customer, "customer.updated", START) for _ in range(100)]
    _receive(customer, *events)

    def work(_: int) -> list[str]:
        with ledger.connect("lab_platform", autocommit=True) as session:
            done: list[str] = []
            while rows := call(session, "process_webhooks", 7, customer.now):
                done += [row["event_id"] for row in rows]
            return done

    with ThreadPoolExecutor(4) as pool:
        processed = [event for done in pool.map(work, range(4)) for event in done]
    assert sorted(processed) == sorted(event["id"] for event in events)
