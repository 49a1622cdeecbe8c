"""Events come twice, late and in any order; what the provider holds is taken over."""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import count
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from oltp_lab.servers import Database
from oltp_lab_tests.billing.conftest import START, Account, call, make_account, subscribe

_numbers = count(1)
NOTHING: dict[str, list[Any]] = {
    kind: [] for kind in ("subscriptions", "invoices", "payments", "charges")
}


def _event(account: Account, kind: str = "payment_intent.succeeded") -> dict[str, Any]:
    about = {"object": "payment_intent", "customer": f"cus_{account.tenant}"}
    created = int(account.now.timestamp())
    return {
        "id": f"evt_{uuid.uuid4().hex}", "type": kind, "created": created, "data": {"object": about}
    }  # fmt: skip


def _receive(account: Account, *events: dict[str, Any]) -> list[bool]:
    return [call(account.connection, "receive_webhook", Jsonb(e), account.now)[0] for e in events]


def _claim(account: Account) -> list[dict[str, Any]]:
    return call(account.connection, "claim_webhooks", 1000, at=account.now)


def _process(account: Account, **held: list[Any]) -> list[str]:
    """What a worker does, when the provider answers with what it holds; an outcome a customer."""
    outcomes = []
    for row in _claim(account):
        if row["tenant"] is None:
            outcomes.append(_fail(account, row, "nobody's customer"))
            continue
        told = [row["customer"], Jsonb({**NOTHING, **held}), row["asked_at"], row["event_ids"]]
        try:
            outcomes += call(account.connection, "mirror", *told, at=account.now)
        except psycopg.Error as error:
            outcomes.append(_fail(account, row, str(error)))
    return outcomes


def _fail(account: Account, row: dict[str, Any], problem: str) -> str:
    call(account.connection, "fail_webhooks", row["event_ids"], problem, account.now)
    return "failed"


def _inbox(account: Account, event: dict[str, Any]) -> dict[str, Any]:
    return account.rows(
        "select *, %s::uuid from billing.webhook_events where id = %s", event["id"]
    )[0]


def _charge(attempt: uuid.UUID, status: str, *refunds: dict[str, Any]) -> dict[str, Any]:
    return {
        "attempt": str(attempt), "id": f"pi_{attempt}", "status": status, "failure": "declined",
        "ended_at": int(START.timestamp()) + 60, "refunds": list(refunds),
    }  # fmt: skip


@pytest.fixture
def debtor(account: Account, quiet: None) -> Account:
    """A tenant that the provider knows."""
    return _linked(account)


def _linked(account: Account) -> Account:
    call(account.connection, "link_customer", account.tenant, f"cus_{account.tenant}")
    return account


def _owing(account: Account) -> uuid.UUID:
    """A new attempt, whose result is not known yet."""
    account.do("create_subscription", "growth", "month", "pm_card", with_trial=False)
    (claimed,) = account.claim()
    return claimed["attempt_id"]


@pytest.fixture
def quiet(platform: psycopg.Connection) -> Iterator[None]:
    """No event of another test is pending."""
    platform.execute("delete from billing.webhook_events")
    yield


def test_an_event_is_kept_once(debtor: Account) -> None:
    event = _event(debtor)
    assert _receive(debtor, event, event) == [True, False]
    assert _process(debtor) == ["applied"]
    assert _receive(debtor, event) == [False]
    assert _process(debtor) == []
    kept = _inbox(debtor, event)
    assert (kept["status"], kept["owner_tenant_id"]) == ("processed", debtor.tenant)


def test_what_an_event_says_is_not_believed(debtor: Account) -> None:
    """Only what the provider then answers."""
    attempt = _owing(debtor)
    _receive(debtor, _event(debtor, "payment_intent.succeeded"))
    _process(debtor, charges=[_charge(attempt, "failed")])
    assert debtor.status == "incomplete"
    (payment,) = debtor.rows("select * from billing.payments where tenant_id = %s")
    assert payment["status"] == "failed"


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    told=st.lists(st.sampled_from(["pending", "failed", "succeeded"]), max_size=5),
    refunded=st.lists(st.sampled_from(["pending", "succeeded"]), max_size=4),
    fails=st.booleans(),
)
def test_states_in_any_order_end_the_same(
    platform: psycopg.Connection, told: list[str], refunded: list[str], fails: bool
) -> None:
    """One that was asked for earlier comes late: what is final stays."""
    platform.execute("delete from billing.webhook_events")
    account = _linked(make_account(platform))
    attempt = _owing(account)
    for status in [*told, "succeeded", *told]:
        _receive(account, _event(account))
        assert _process(account, charges=[_charge(attempt, status)]) == ["applied"]
    assert account.status == "active"
    (payment,) = account.rows("select * from billing.payments where tenant_id = %s")
    assert (payment["status"], payment["provider_id"]) == ("succeeded", f"pi_{attempt}")
    account.later(minutes=2)
    refund = account.do("refund_payment", payment["id"], 500, "r1", "sorry")["refund_id"]
    for status in [*refunded, "failed" if fails else "succeeded", *refunded]:
        _receive(account, _event(account, "refund.updated"))
        given: dict[str, Any] = {"refund": str(refund), "id": "re_1", "status": status}
        given["created"] = int(account.now.timestamp())
        _process(account, charges=[_charge(attempt, "succeeded", given)])
    (row,) = account.rows("select * from billing.refunds where tenant_id = %s")
    assert (row["status"], row["provider_id"]) == ("failed" if fails else "succeeded", "re_1")
    assert account.breaches() == []
    account.retire()


def test_an_event_before_its_customer_waits_for_it(account: Account, quiet: None) -> None:
    event = _event(account)
    _receive(account, event)
    assert _process(account) == ["failed"]
    waiting = _inbox(account, event)
    assert (waiting["status"], waiting["attempts"]) == ("pending", 1)
    _linked(account)
    assert _process(account) == [], "not before it is due"
    account.later(minutes=2)
    assert _process(account) == ["applied"]


def test_what_fails_for_three_days_is_kept_and_can_be_retried(
    account: Account, quiet: None
) -> None:
    event = _event(account)
    _receive(account, event)
    while _inbox(account, event)["status"] == "pending":
        account.now = _inbox(account, event)["retry_at"]
        _process(account)
    assert timedelta(days=2) < account.now - START < timedelta(days=3)
    _linked(account)
    (retried,) = call(account.connection, "retry_webhook", event["id"], account.now)
    assert retried
    assert call(account.connection, "retry_webhook", event["id"], account.now) == [False]
    assert _process(account) == ["applied"]


def test_the_result_of_another_tenant_s_attempt_is_not_taken(debtor: Account) -> None:
    other = make_account(debtor.connection)
    attempt = _owing(other)
    event = _event(debtor)
    _receive(debtor, event)
    assert _process(debtor, charges=[_charge(attempt, "succeeded")]) == ["failed"]
    kept = _inbox(debtor, event)
    assert "there is no payment attempt" in kept["outcome"]
    assert kept["owner_tenant_id"] == debtor.tenant
    assert other.status == "incomplete"
    other.retire()


def test_whose_worker_died_is_taken_by_another(debtor: Account) -> None:
    _receive(debtor, _event(debtor))
    (held,) = _claim(debtor)
    assert _claim(debtor) == [], "it is leased"
    debtor.later(minutes=1)
    (taken,) = _claim(debtor)
    assert taken["event_ids"] == held["event_ids"]


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


def test_racing_workers_take_each_event_once(ledger: Database, debtor: Account) -> None:
    subscribe(debtor, "growth")
    events = [_event(debtor) for _ in range(100)]
    _receive(debtor, *events)

    def work(_: int) -> list[str]:
        with ledger.connect("lab_platform", autocommit=True) as session:
            done: list[str] = []
            while rows := call(session, "claim_webhooks", 7, at=debtor.now):
                done += [event for row in rows for event in row["event_ids"]]
            return done

    with ThreadPoolExecutor(4) as pool:
        taken = [event for done in pool.map(work, range(4)) for event in done]
    assert sorted(taken) == sorted(event["id"] for event in events)
