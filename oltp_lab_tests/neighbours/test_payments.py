"""The provider bills, the OLTP follows: whatever order events come in, and however often."""

import json
import random
import time
import traceback
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
import stripe
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from oltp_lab import sql
from oltp_lab.errors import LabError
from oltp_lab.neighbours.payments import client, life, processor, receiver, world
from oltp_lab.neighbours.payments.books import DAY, DECLINED, Books, period_end, round_half_away
from oltp_lab.neighbours.payments.client import Provider, State, state_of
from oltp_lab.neighbours.payments.life import Outcome
from oltp_lab.neighbours.payments.provider import Api, Deliveries, Faults, decode, signature
from oltp_lab.neighbours.payments.world import World
from oltp_lab.servers import Database, databases
from oltp_lab.settings import Settings

QUERIES = sql.queries("neighbours/payments/queries.sql")
PLANS = ("starter", "growth", "scale")
FAULTS = Faults(late_answers=0.05, late_answer_s=1.0, duplicates=0.3, lost=0.2, late=0.5)


@dataclass
class Payer:
    """A tenant at a provider without a network; ``told`` are events that nobody delivered yet."""

    connection: psycopg.Connection
    books: Books = field(default_factory=Books)
    tenant: str = field(default_factory=lambda: str(uuid.uuid4()))
    told: list[dict[str, Any]] = field(default_factory=list)
    prices: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.books.tell = self.told.append
        for row in self.connection.execute(QUERIES["catalog"]).fetchall():
            key, product, name, period, cents = row
            if product in (*PLANS, "extra_users") and period == "month":
                made = self.books.create_product({"name": name})
                price = {"product": made["id"], "currency": "usd", "unit_amount": cents}
                price |= {"recurring": {"interval": period}, "lookup_key": key}
                self.prices[product] = self.books.create_price(price)["id"]
        self.clock = self.books.create_clock({"frozen_time": life.START})["id"]
        self.customer = self.books.create_customer({"test_clock": self.clock})["id"]
        named = {"tenant": self.tenant, "name": "Acme", "customer": self.customer}
        self.connection.execute(QUERIES["new_tenant"], named)
        self.connection.execute(QUERIES["link"], named)
        self.set_card("pm_card_visa")

    def set_card(self, card: str) -> None:
        method = self.books.attach(card, {"customer": self.customer})["id"]
        wanted = {"invoice_settings": {"default_payment_method": method}}
        self.books.update_customer(self.customer, wanted)

    def subscribe(self, plan: str, trial: int = 0) -> None:
        given: dict[str, Any] = {"customer": self.customer, "items": [{"price": self.prices[plan]}]}
        made = self.books.create_subscription(
            given | ({"trial_period_days": trial} if trial else {})
        )
        self.subscription = made["id"]

    def later(self, seconds: int) -> None:
        now = self.books.get("test_helpers.test_clock", self.clock)["frozen_time"]
        self.books.advance(self.clock, {"frozen_time": now + seconds})

    def change(self, wanted: dict[str, Any]) -> None:
        self.books.update_subscription(self.subscription, wanted)

    def have(self, product: str, quantity: int = 1) -> None:
        """So many of a product, at once."""
        items = self.books.get("subscription", self.subscription)["items"]["data"]
        held = {i["price"]["product"]: i["id"] for i in items}
        sold = self.books.get("price", self.prices[product])["product"]
        item = held.get(sold) if product == "extra_users" else items[0]["id"]
        change = {"price": self.prices[product], "quantity": quantity} | (
            {"id": item} if item else {}
        )
        self.change({"items": [change], "proration_behavior": "always_invoice"})

    def refund(self) -> None:
        for p in self.books.all("payment_intent", self.customer):
            if p["status"] == "succeeded" and not p["latest_charge"]["amount_refunded"]:
                self.books.refund({"payment_intent": p["id"], "amount": 1 + p["amount"] // 3})

    def fetch(self, customer: str) -> State:
        """Outside of any transaction."""
        assert self.connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        books, keys = self.books, {}
        for key in self.prices.values():
            keys[key] = books.get("price", key)["lookup_key"]
        held = books.get("customer", customer)["invoice_settings"]["default_payment_method"]
        kinds = ("subscription", "invoice", "payment_intent")
        subscriptions, invoices, payments = (books.all(kind, customer) for kind in kinds)
        return json.loads(json.dumps(state_of(subscriptions, invoices, payments, held, keys)))

    def deliver(self, events: list[dict[str, Any]]) -> None:
        for event in events:
            receiver.store(self.connection, [json.dumps(event)])

    def process(self, at: datetime | None = None) -> int:
        return processor.process(self.connection, self.fetch, at=at)

    def differences(self) -> list[Any]:
        asked = {"told": Jsonb(self.fetch(self.customer)), "tenant": self.tenant}
        found: list[Any] = self.connection.execute(QUERIES["differences"], asked).fetchall()
        return found + [
            row for row in world.breaches(self.connection) if self.tenant in map(str, row)
        ]


@pytest.fixture(scope="module")
def ledger(schema_template: Database) -> Iterator[Database]:
    with databases.temporary(schema_template, schema_template) as clone:
        yield clone


@pytest.fixture(scope="module")
def platform(ledger: Database) -> Iterator[psycopg.Connection]:
    with ledger.connect("lab_platform", autocommit=True) as connection:
        yield connection


Action = Callable[[Payer], object]
ACTIONS: dict[str, Action] = {
    "upgrade": lambda p: p.have("scale"),
    "back": lambda p: p.have("starter"),
    "add on": lambda p: p.have("extra_users", 3),
    "fewer": lambda p: p.have("extra_users", 1),
    "a second": lambda p: p.later(1),
    "an hour": lambda p: p.later(3700),
    "ten days": lambda p: p.later(10 * DAY + 77),
    "a month": lambda p: p.later(32 * DAY),
    "bad card": lambda p: p.set_card(DECLINED),
    "good card": lambda p: p.set_card("pm_card_visa"),
    "cancel": lambda p: p.change({"cancel_at_period_end": "true"}),
    "resume": lambda p: p.change({"cancel_at_period_end": "false"}),
    "end": lambda p: p.books.cancel_subscription(p.subscription, {}),
    "refund": Payer.refund,
}


@hypothesis_settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    trial=st.sampled_from([0, 0, 7]),
    actions=st.lists(st.sampled_from(sorted(ACTIONS)), max_size=8),
    seed=st.integers(0, 10**6),
)
def test_any_order_with_any_repeats_ends_as_at_the_provider(
    platform: psycopg.Connection, trial: int, actions: list[str], seed: int
) -> None:
    choice, payer = random.Random(seed), Payer(platform)
    payer.subscribe("growth", trial)
    sent: list[dict[str, Any]] = []
    for action in actions:
        if payer.books.get("subscription", payer.subscription)["ended_at"]:
            payer.subscribe("starter")
        ACTIONS[action](payer)
        if choice.random() < 0.4:  # some come, some of them twice, and are worked off
            waiting = [e for e in payer.told if e not in sent]
            some = choice.sample(waiting, choice.randint(0, len(waiting)))
            payer.deliver(some + some[:1])
            sent += some
            payer.process()
    rest = [e for e in payer.told if e not in sent] + choice.sample(payer.told, 1)
    choice.shuffle(rest)
    payer.deliver(rest)
    while payer.process():
        pass
    assert payer.differences() == []
    (inbox,) = platform.execute(QUERIES["pending"]).fetchall()
    assert inbox == (0,)


def test_who_goes_by_the_order_of_events_diverges_and_is_found(
    platform: psycopg.Connection,
) -> None:
    payer = Payer(platform)
    payer.subscribe("growth")
    payer.set_card(DECLINED)
    payer.later(33 * DAY)
    payer.set_card("pm_card_visa")
    payer.later(3 * DAY)
    payer.change({"cancel_at_period_end": "true"})
    payer.deliver(payer.told[::-1])
    payer.process()
    assert payer.differences() == []
    diverged = {rule: n for rule, n in platform.execute(QUERIES["diverged"])}  # noqa: C416
    assert diverged["order of arrival"] >= 1
    # As such a processor would have left it.
    platform.execute(
        b"update billing.subscriptions set cancel_at_period_end = false where tenant_id = %s",
        [payer.tenant],
    )
    assert [True for (told,) in payer.differences() if "subscription" in told] == [True]
    platform.execute(b"delete from billing.webhook_events")


def test_an_earlier_state_is_refused_and_a_dead_worker_replaced(
    platform: psycopg.Connection,
) -> None:
    payer = Payer(platform)
    payer.subscribe("starter")
    payer.deliver(payer.told)
    now = datetime.now(UTC)
    (slow,) = platform.execute(QUERIES["claim"], {"batch": 100, "at": now}).fetchall()
    earlier = payer.fetch(payer.customer)
    payer.have("scale")
    payer.deliver(payer.told[-1:])
    assert payer.process() == 1, "what the slow one holds is leased"
    told = {
        "customer": payer.customer,
        "told": Jsonb(earlier),
        "asked_at": slow[3],
        "event_ids": [],
    }
    assert platform.execute(QUERIES["mirror"], told).fetchone() == ("stale",)
    assert payer.differences() == []
    assert payer.process() == 0
    assert payer.process(now + timedelta(minutes=2)) == len(slow[2]), "its lease is over"
    assert payer.differences() == []


def test_what_fails_waits_and_leaves_the_rest_alone(platform: psycopg.Connection) -> None:
    payer, other = Payer(platform), Payer(platform)
    for p in (payer, other):
        p.subscribe("starter")
        p.deliver(p.told)

    def fetch(customer: str) -> State:
        if customer == payer.customer:
            raise stripe.APIConnectionError("sk_test_secret is not to be seen")
        return other.fetch(customer)

    processor.process(platform, fetch)
    assert other.differences() == []
    failed = platform.execute(
        b"select distinct outcome, attempts, status from billing.webhook_events"
        b" where billing.customer_of(payload) = %s", [payer.customer],
    ).fetchall()  # fmt: skip
    assert failed == [("the provider did not answer as it should", 1, "pending")]
    payer.process(datetime.now(UTC) + timedelta(minutes=3))
    assert payer.differences() == []


def test_a_mirrored_tenant_is_changed_at_the_provider_alone(platform: psycopg.Connection) -> None:
    payer = Payer(platform)
    payer.subscribe("starter")
    payer.deliver(payer.told)
    payer.process()
    for change in ("change_plan(%s, 'scale')", "create_subscription(%s, 'free')"):
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="by the provider"):
            platform.execute(f"select billing.{change}".encode(), [payer.tenant])
    later = datetime.now(UTC) + timedelta(days=400)
    advanced = platform.execute(
        b"select tenant_id from billing.advance_subscriptions(100, %s)", [later]
    )
    assert uuid.UUID(payer.tenant) not in {t for (t,) in advanced}
    with platform.transaction(), pytest.raises(RuntimeError, match="transaction"):
        payer.process()


def test_the_rules_of_the_books() -> None:
    anchor = int(datetime(2026, 1, 31, 10, tzinfo=UTC).timestamp())
    february = period_end(anchor, "month", anchor)
    assert datetime.fromtimestamp(february, UTC).day == 28
    assert datetime.fromtimestamp(period_end(anchor, "month", february), UTC).day == 31
    from fractions import Fraction

    assert [round_half_away(Fraction(n, 2)) for n in (-3, -1, 1, 3)] == [-2, -1, 1, 2]
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


@pytest.fixture(scope="module")
def lived(settings: Settings, schema_template: Database) -> Iterator[tuple[World, Outcome]]:
    """A tenant of each life, through the real client, over HTTP."""
    with (
        databases.temporary(schema_template, schema_template) as clone,
        world.running(settings, clone, FAULTS, seed=3) as running,
    ):
        yield running, life.live(running, len(life.LIVES))


def test_lives_through_the_real_client(lived: tuple[World, Outcome]) -> None:
    running, outcome = lived
    assert (outcome.converged(), outcome.unbalanced(), outcome.mishandled()) == ([], [], [])
    c = outcome.counts
    assert (c["previews"], c["upgrades declined"]) == (1, 1)
    assert c["deliveries: duplicates"] > 0
    assert {f"ended {s}" for s in ("active", "paused", "incomplete_expired", "canceled")} <= set(c)
    forged = json.dumps({"id": "evt_forged", "type": "invoice.paid", "created": 1, "data": {}})
    for header in (signature(forged, "whsec_x"), signature(forged, running.secret, 1), ""):
        headers = {"Stripe-Signature": header}
        assert running.webhooks
        answer = requests.post(running.webhooks, forged, headers=headers, timeout=10)
        assert answer.status_code == 400
    assert running.rows("inbox")[0]["events"] == c["events told"]
    # What a receiver that believes everybody would have let in is found by the count.
    receiver.store(running.connection, [forged])
    kept = {**c, "events kept": running.rows("inbox")[0]["events"]}
    assert Outcome(kept, [], {}, 0.0).mishandled()
    assert Outcome({**c, "paid cents, here": c["paid cents, here"] + 1}, [], {}, 0.0).unbalanced()


def test_secrets_are_nowhere(
    lived: tuple[World, Outcome], settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    running, outcome = lived
    place = (running.deliveries or "").removesuffix("/deliveries")
    wrong = Provider.connect("sk_test_not_this_one_zqxw", place)
    told = [repr(running), repr(wrong), repr(outcome), json.dumps(outcome.rows())]
    with pytest.raises(stripe.AuthenticationError) as caught:
        wrong.client.v1.customers.create({})
    told += traceback.format_exception(caught.value)
    with pytest.raises(LabError) as refused:
        Provider.connect("sk_live_zqxw_secret")
    told += traceback.format_exception(refused.value)
    commands = (p.read_bytes().decode() for p in Path("/proc").glob("[0-9]*/cmdline") if _ours(p))
    told += [*commands, *capfd.readouterr()]
    from dataclasses import replace

    known = replace(
        settings, stripe_api_key="sk_test_zqxw_ours", stripe_webhook_secret="whsec_ours"
    )
    told += [repr(known)]
    events = running.connection.execute("select payload::text from billing.webhook_events")
    told += [text for (text,) in events]
    secrets = (running.secret, "sk_test_not_this_one", "zqxw", "whsec_ours")
    assert [s for s in secrets for text in told if s in text] == []


def _ours(place: Path) -> bool:
    try:
        return b"oltp_lab" in place.read_bytes()
    except OSError:
        return False


def test_a_late_answer_is_asked_for_again_under_its_key(lived: tuple[World, Outcome]) -> None:
    """Each tenant has one customer, one subscription, though answers were lost."""
    running, outcome = lived
    made = running.connection.execute(
        "select count(*) from billing.webhook_events where type = 'customer.created'"
    ).fetchone()
    assert made == (outcome.counts["tenants"],)
    assert client.CARD != client.DECLINING_CARD
