"""Money moves once: idempotency keys, retries, late results, refunds."""

import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from oltp_lab.servers import Database
from oltp_lab_tests.billing.conftest import Account, call

RACERS = 8


@pytest.fixture
def debtor(account: Account) -> Account:
    """A tenant with an open first invoice of 9900."""
    account.do("create_subscription", "growth", "month", "pm_card", with_trial=False)
    return account


def _invoice(account: Account) -> Any:
    return account.invoices[-1]["id"]


def _begin(account: Account, key: str, method: str = "pm_card") -> dict[str, Any]:
    return account.do("begin_payment", _invoice(account), key, method)


def _payment(account: Account) -> dict[str, Any]:
    return account.rows("select * from billing.payments where tenant_id = %s")[-1]


def _race(ledger: Database, calls: int, function: str, *arguments: Any, **named: Any) -> list[Any]:
    def run(n: int) -> Any:
        filled = [a.format(n=n) if isinstance(a, str) else a for a in arguments]
        with ledger.connect("lab_platform", autocommit=True) as session:
            return call(session, function, *filled, **named)[0]

    with ThreadPoolExecutor(calls) as pool:
        return list(pool.map(run, range(calls)))


def test_the_same_key_is_the_same_attempt(debtor: Account) -> None:
    first = _begin(debtor, "k1")
    assert (first["status"], first["replayed"], first["refusal"]) == ("pending", False, None)
    debtor.later(hours=23)
    assert _begin(debtor, "k1") == {**first, "replayed": True}
    debtor.do("finish_payment", first["attempt_id"], True, "pi_1")
    assert _begin(debtor, "k1") == {**first, "replayed": True, "status": "succeeded"}


def test_the_same_key_with_another_request_is_an_error(debtor: Account) -> None:
    _begin(debtor, "k1")
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="key k1 was used"):
        _begin(debtor, "k1", "pm_other")


def test_keys_are_forgotten_after_24_hours(debtor: Account) -> None:
    first = _begin(debtor, "k1")
    debtor.do("finish_payment", first["attempt_id"], False, failure="card_declined")
    debtor.later(hours=24)
    again = _begin(debtor, "k1", "pm_other")
    assert not again["replayed"]
    assert again["attempt_id"] != first["attempt_id"]


def test_one_attempt_at_a_time(debtor: Account) -> None:
    first = _begin(debtor, "k1")
    assert _begin(debtor, "k2")["refusal"] == "payment_pending"
    debtor.do("finish_payment", first["attempt_id"], False)
    second = _begin(debtor, "k3")
    debtor.do("finish_payment", second["attempt_id"], True)
    assert _begin(debtor, "k4")["refusal"] == "invoice_paid"


def test_an_expired_invoice_is_not_paid(debtor: Account) -> None:
    debtor.later(days=1)
    debtor.advance()
    assert _begin(debtor, "k1")["refusal"] == "invoice_void"


def test_racing_with_one_key_begins_one_attempt(ledger: Database, debtor: Account) -> None:
    got = _race(
        ledger, RACERS, "begin_payment", debtor.tenant, _invoice(debtor), "k1", "pm_card",
        at=debtor.now,
    )  # fmt: skip
    assert len({row["attempt_id"] for row in got}) == 1
    assert sorted(row["replayed"] for row in got) == [False] + [True] * (RACERS - 1)


def test_racing_with_many_keys_begins_one_attempt(ledger: Database, debtor: Account) -> None:
    got = _race(
        ledger, RACERS, "begin_payment", debtor.tenant, _invoice(debtor), "k{n}", "pm_card",
        at=debtor.now,
    )  # fmt: skip
    assert Counter(row["refusal"] for row in got) == {None: 1, "payment_pending": RACERS - 1}


def test_racing_workers_claim_each_payment_once(ledger: Database, debtor: Account) -> None:
    def work(_: int) -> list[Any]:
        with ledger.connect("lab_platform", autocommit=True) as session:
            claimed = call(session, "claim_payments", 1000, at=debtor.now)
            return [row for row in claimed if row["tenant_id"] == debtor.tenant]

    with ThreadPoolExecutor(4) as pool:
        assert sum(len(rows) for rows in pool.map(work, range(4))) == 1


def test_a_lost_worker_s_payment_is_handed_out_again_under_its_key(debtor: Account) -> None:
    (first,) = debtor.claim()
    debtor.later(minutes=9)
    assert debtor.claim() == []
    debtor.later(minutes=1)
    assert debtor.claim() == [first]


def test_a_result_may_be_told_any_number_of_times(debtor: Account) -> None:
    (claimed,) = debtor.claim()
    for _ in range(3):
        assert debtor.do("finish_payment", claimed["attempt_id"], True, "pi_1") == "succeeded"
    assert debtor.do("finish_payment", claimed["attempt_id"], False) == "succeeded"
    assert (debtor.status, debtor.invoices[0]["status"]) == ("active", "paid")
    assert _payment(debtor)["provider_id"] == "pi_1"


def test_a_failure_told_twice_counts_once(debtor: Account) -> None:
    (claimed,) = debtor.claim()
    for _ in range(3):
        assert debtor.do("finish_payment", claimed["attempt_id"], False) == "failed"
    assert debtor.invoices[0]["attempts"] == 1


def test_a_late_success_counts(debtor: Account) -> None:
    (claimed,) = debtor.claim()
    debtor.do("finish_payment", claimed["attempt_id"], False)
    assert debtor.do("finish_payment", claimed["attempt_id"], True) == "succeeded"
    assert (debtor.status, debtor.invoices[0]["status"]) == ("active", "paid")


def test_money_for_a_void_invoice_goes_back(debtor: Account) -> None:
    (claimed,) = debtor.claim()
    debtor.later(days=1)
    debtor.advance()
    debtor.do("finish_payment", claimed["attempt_id"], True)
    assert debtor.status == "incomplete_expired"
    assert _payment(debtor)["refunded_cents"] == 9900
    assert debtor.breaches() == []


def test_refunds_never_exceed_the_payment(debtor: Account) -> None:
    debtor.pay()
    payment = _payment(debtor)["id"]
    first = debtor.do("refund_payment", payment, 6000, "r1", "outage")
    assert first["refusal"] is None
    assert debtor.do("refund_payment", payment, 6000, "r1", "outage")["replayed"]
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="key r1 was used"):
        debtor.do("refund_payment", payment, 5000, "r1", "outage")
    assert debtor.do("refund_payment", payment, 4000, "r2", "more")["refusal"] == "exceeds_payment"
    debtor.do("finish_refund", first["refund_id"], False)
    again = debtor.do("refund_payment", payment, 9900, "r3", "all of it")
    assert again["refusal"] is None
    for _ in range(2):
        assert debtor.do("finish_refund", again["refund_id"], True, "re_1") == "succeeded"
    assert _payment(debtor)["refunded_cents"] == 9900
    assert debtor.do("finish_refund", again["refund_id"], False) == "failed"
    assert debtor.do("finish_refund", again["refund_id"], True) == "failed"
    assert _payment(debtor)["refunded_cents"] == 0


def test_racing_refunds_never_exceed_the_payment(ledger: Database, debtor: Account) -> None:
    debtor.pay()
    got = _race(
        ledger, RACERS, "refund_payment", debtor.tenant, _payment(debtor)["id"], 3000, "r{n}",
        "race", at=debtor.now,
    )  # fmt: skip
    assert Counter(row["refusal"] for row in got) == {None: 3, "exceeds_payment": RACERS - 3}


def test_what_was_not_paid_is_not_refunded(debtor: Account) -> None:
    debtor.claim()
    refused = debtor.do("refund_payment", _payment(debtor)["id"], 1, "r1", "no")
    assert refused["refusal"] == "not_paid"


def test_two_open_invoices_must_both_be_paid(debtor: Account) -> None:
    debtor.pay()
    debtor.do("change_plan", "scale")
    debtor.now = debtor.subscription["period_end"]
    debtor.advance()
    first, second = debtor.claim()
    debtor.do("finish_payment", first["attempt_id"], False)
    debtor.do("finish_payment", second["attempt_id"], True)
    assert debtor.status == "past_due"
    debtor.later(days=1)
    debtor.pay()
    assert debtor.status == "active"


@pytest.mark.parametrize("function", ["finish_payment", "finish_refund"])
def test_unknown_ones_raise(account: Account, function: str) -> None:
    with pytest.raises(psycopg.errors.NoDataFound, match="there is no"):
        account.do(function, uuid.uuid4(), True)


def test_unknown_invoices_and_payments_raise(account: Account) -> None:
    with pytest.raises(psycopg.errors.NoDataFound, match="no invoice"):
        account.do("begin_payment", uuid.uuid4(), "k", "pm")
    with pytest.raises(psycopg.errors.NoDataFound, match="no payment"):
        account.do("refund_payment", uuid.uuid4(), 1, "k", "why")


def _unpaid(account: Account) -> Account:
    """A debtor who has paid once, and whose renewal nobody will charge again."""
    account.pay()
    account.now = account.subscription["period_end"]
    account.advance()
    for _ in range(5):
        account.pay(succeeded=False)
        account.later(days=8)
    assert account.status == "unpaid"
    return account


def test_what_was_written_off_can_still_be_paid(debtor: Account) -> None:
    invoice = _invoice(_unpaid(debtor))
    debtor.do("close_invoice", invoice, "uncollectible")
    assert debtor.status == "active"
    begun = _begin(debtor, "late")
    debtor.do("finish_payment", begun["attempt_id"], True)
    assert debtor.invoices[-1]["status"] == "paid"
    with pytest.raises(psycopg.errors.CheckViolation, match="from paid to void"):
        debtor.do("close_invoice", invoice, "void")


def test_a_void_invoice_is_owed_no_more(debtor: Account) -> None:
    invoice = _invoice(_unpaid(debtor))
    debtor.do("close_invoice", invoice, "void")
    assert debtor.status == "active"
    assert _begin(debtor, "late")["refusal"] == "invoice_void"
    assert debtor.breaches() == []


def test_which_invoices_are_not_given_up(debtor: Account) -> None:
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="paid or expires"):
        debtor.do("close_invoice", _invoice(debtor), "void")
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="not paid"):
        debtor.do("close_invoice", _invoice(debtor), "paid")
    with pytest.raises(psycopg.errors.NoDataFound, match="there is no invoice"):
        debtor.do("close_invoice", uuid.uuid4(), "void")
