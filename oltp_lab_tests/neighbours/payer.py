"""Who buys of the provider, without a network between: alone, and as a tenant of the OLTP."""

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from oltp_lab import sql
from oltp_lab.neighbours.payments import life, processor, receiver, world
from oltp_lab.neighbours.payments.client import State, state_of
from oltp_lab.neighbours.payments.provider.books import Books
from oltp_lab.neighbours.payments.provider.invoices import DECLINED
from oltp_lab.neighbours.payments.provider.store import DAY

QUERIES = sql.queries("neighbours/payments/queries.sql")
CENTS = {"starter": 2900, "growth": 9900, "scale": 29900, "extra_users": 500}
"""What is sold by the month."""


@dataclass
class Buyer:
    """A customer; ``told`` are events that nobody delivered yet."""

    books: Books = field(default_factory=Books)
    told: list[dict[str, Any]] = field(default_factory=list)
    prices: dict[str, str] = field(default_factory=dict)
    customer: str = ""
    subscription: str = ""

    def __post_init__(self) -> None:
        self.books.tell = self.told.append
        for product, cents in self.sold().items():
            made = self.books.create_product({"name": product})
            price = {"product": made["id"], "currency": "usd", "unit_amount": cents}
            price |= {"recurring": {"interval": "month"}, "lookup_key": f"{product}.month.1"}
            self.prices[product] = self.books.create_price(price)["id"]
        self.clock = self.books.create_clock({"frozen_time": life.START})["id"]
        self.customer = self.books.create_customer({"test_clock": self.clock})["id"]
        self.set_card("pm_card_visa")

    def sold(self) -> dict[str, int]:
        return CENTS

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

    def all(self, kind: str) -> list[dict[str, Any]]:
        return self.books.all(kind, self.customer)

    def refund(self) -> None:
        for p in self.all("payment_intent"):
            if p["status"] == "succeeded" and not p["latest_charge"]["amount_refunded"]:
                self.books.refund({"payment_intent": p["id"], "amount": 1 + p["amount"] // 3})


@dataclass
class Payer(Buyer):
    """The same, as a tenant of the OLTP."""

    connection: psycopg.Connection = field(kw_only=True)
    tenant: str = field(default_factory=lambda: str(uuid.uuid4()))

    def __post_init__(self) -> None:
        super().__post_init__()
        named = {"tenant": self.tenant, "name": "Acme", "customer": self.customer}
        self.connection.execute(QUERIES["new_tenant"], named)
        self.connection.execute(QUERIES["link"], named)

    def sold(self) -> dict[str, int]:
        catalog = self.connection.execute(QUERIES["catalog"]).fetchall()
        return {row[1]: row[4] for row in catalog if row[1] in CENTS and row[3] == "month"}

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


Action = Callable[[Buyer], object]
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
    "refund": Buyer.refund,
}
