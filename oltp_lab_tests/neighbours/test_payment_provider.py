"""The provider of Stripe's shape by itself: its arithmetic, its books, its keys and signatures."""

import random
import time
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import pytest
import stripe
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oltp_lab.neighbours.payments import receiver
from oltp_lab.neighbours.payments.provider.api import Api, decode
from oltp_lab.neighbours.payments.provider.books import Books
from oltp_lab.neighbours.payments.provider.deliveries import Deliveries, Faults, signature
from oltp_lab.neighbours.payments.provider.proration import (
    period_end,
    remaining,
    round_half_away,
    settled,
)
from oltp_lab.neighbours.payments.provider.store import DAY
from oltp_lab_tests.neighbours.payer import ACTIONS, Buyer

_MONTH = 31 * DAY
quickly = settings(suppress_health_check=[HealthCheck.too_slow])


def test_periods_are_counted_from_their_anchor() -> None:
    anchor = int(datetime(2026, 1, 31, 10, tzinfo=UTC).timestamp())
    february = period_end(anchor, "month", anchor)
    assert datetime.fromtimestamp(february, UTC).day == 28
    assert datetime.fromtimestamp(period_end(anchor, "month", february), UTC).day == 31
    assert [round_half_away(Fraction(n, 2)) for n in (-3, -1, 1, 3)] == [-2, -1, 1, 2]


@quickly
@given(
    worth=st.integers(0, 10**7),
    length=st.integers(1, 366 * DAY),
    times=st.tuples(st.integers(0, 366 * DAY), st.integers(0, 366 * DAY)),
)
def test_what_is_left_of_a_price(worth: int, length: int, times: tuple[int, int]) -> None:
    earlier, later = sorted(min(at, length) for at in times)
    left = [remaining(worth, 0, length, at) for at in (0, earlier, later, length)]
    assert left[0] == worth
    assert left[-1] == 0
    assert left == sorted(left, reverse=True)
    # No more than half a cent is won or lost, and none by who pays whom.
    assert abs(left[1] * length - worth * (length - earlier)) * 2 <= length
    assert remaining(-worth, 0, length, earlier) == -left[1]


@quickly
@given(totals=st.lists(st.integers(-(10**6), 10**6), max_size=20))
def test_credit_is_carried_forward_and_used_up(totals: list[int]) -> None:
    balance = paid = 0
    for total in totals:
        due, after = settled(total, balance)
        assert due >= 0 >= after
        assert due == 0 or after == 0, "who has credit left owes nothing"
        paid, balance = paid + due, after
    assert sum(totals) == paid + balance


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(actions=st.lists(st.sampled_from(sorted(ACTIONS)), max_size=12))
def test_the_books_balance_whatever_is_done(actions: list[str]) -> None:
    buyer = Buyer()
    buyer.subscribe("growth")
    for action in actions:
        if buyer.books.get("subscription", buyer.subscription)["ended_at"]:
            buyer.subscribe("starter")
        ACTIONS[action](buyer)
    invoices = [v for v in buyer.all("invoice") if v["status"] != "draft"]
    assert _unbalanced(buyer, invoices) == []
    # What is told wrongly by a cent is found.
    invoices[0]["total"] += 1
    assert _unbalanced(buyer, invoices) != []


def _unbalanced(buyer: Buyer, invoices: list[dict[str, Any]]) -> list[str]:
    """What does not add up."""
    customer = buyer.books.get("customer", buyer.customer)
    intents = {p["id"]: p for p in buyer.all("payment_intent")}
    total, due = (sum(v[what] for v in invoices) for what in ("total", "amount_due"))
    found = [] if total == due + customer["balance"] else [f"{total} billed, {due} due"]
    for v in invoices:
        if v["total"] != sum(line["amount"] for line in v["lines"]["data"]):
            found.append(f"{v['id']} is not the sum of its lines")
        if v["ending_balance"] != v["total"] + v["starting_balance"] - v["amount_due"]:
            found.append(f"{v['id']} loses credit")
        paid = [intents[p["payment"]["payment_intent"]] for p in v["payments"]["data"]]
        got = sum(p["amount"] for p in paid if p["status"] == "succeeded")
        if got != (v["amount_due"] if v["status"] == "paid" else 0):
            found.append(f"{v['id']} is {v['status']}, and {got} were paid")
    for p in intents.values():
        back = sum(r["amount"] for r in p["latest_charge"]["refunds"]["data"])
        if back != p["latest_charge"]["amount_refunded"] or back > p["amount"]:
            found.append(f"{p['id']} gave {back} back")
    return found


def test_forms_are_read_as_they_are_written() -> None:
    assert decode("items[0][price]=a&items[1][price]=b&m[k]=v") == {
        "items": [{"price": "a"}, {"price": "b"}], "m": {"k": "v"},
    }  # fmt: skip


def test_keys_name_one_request() -> None:
    choice, faults = random.Random(1), Faults()
    api = Api("sk_test_x", Books(), Deliveries("s", faults, choice), faults, choice)
    headers = {"authorization": "Bearer sk_test_x", "idempotency-key": "k"}
    first = api.ask("POST", "/v1/customers", "email=a", headers)
    assert first[0] == 200
    assert api.ask("POST", "/v1/customers", "email=a", headers) == (200, first[1], True)
    status, told, _ = api.ask("POST", "/v1/customers", "email=b", headers)
    assert (status, told["error"]["type"]) == (400, "idempotency_error")
    assert api.ask("POST", "/v1/customers", "email=b", {})[0] == 401
    kept = api.kept["k"]
    api.kept["k"] = (kept[0], time.time() - DAY - 1, *kept[2:])
    assert api.ask("POST", "/v1/customers", "email=b", headers)[1] != first[1], "a day later"


def test_signatures_are_checked() -> None:
    body, secret = '{"id": "evt_1", "object": "event"}', "whsec_right"
    assert receiver.verified(body.encode(), signature(body, secret), secret) == body
    for header in (
        signature(body, "whsec_wrong"),
        signature(body, secret, int(time.time()) - receiver.TOLERANCE - 1),
        signature(body + " ", secret),
        "",
    ):
        with pytest.raises(stripe.SignatureVerificationError):
            receiver.verified(body.encode(), header, secret)
