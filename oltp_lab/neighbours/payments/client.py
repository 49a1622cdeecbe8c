"""The provider, asked through the official client: changes with keys of idempotency, and states.

Nothing here knows a database. A state is what ``billing.mirror`` takes: a customer's subscriptions,
invoices and payments, in the lab's words.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import stripe

from oltp_lab.errors import LabError

State = dict[str, Any]
CARD, DECLINING_CARD = "pm_card_visa", "pm_card_chargeCustomerFail"
_PAGE = 100
_PAYMENT = {"succeeded": "succeeded", "requires_payment_method": "failed", "canceled": "failed"}
_REFUND = {"succeeded": "succeeded", "failed": "failed", "canceled": "failed"}


@dataclass
class Provider:
    """An account at the provider; ``prices`` by the lab's keys."""

    client: stripe.StripeClient = field(repr=False)
    prices: dict[str, str] = field(default_factory=dict)

    @classmethod
    def connect(cls, key: str, address: str | None = None, *, timeout: float = 20.0) -> "Provider":
        """With a test account's key; ``address`` is another place than Stripe's.

        What is not answered within ``timeout`` seconds is asked again, under the same key.
        Raises LabError for the key of an account with real money.
        """
        if not key.startswith(("sk_test_", "rk_test_")):
            raise LabError("STRIPE_API_KEY is not the key of a test account: set one (sk_test_...)")
        http = stripe.RequestsClient(timeout=timeout)
        given: dict[str, Any] = {"base_addresses": {"api": address}} if address else {}
        return cls(stripe.StripeClient(key, http_client=http, max_network_retries=3, **given))

    def sell(self, catalog: Sequence[Mapping[str, Any]]) -> None:
        """Have a product and prices for what is sold (key, product_key, name, period, cents)."""
        products: dict[str, str] = {}
        for place in range(0, len(catalog), 10):
            keys = [price["key"] for price in catalog[place : place + 10]]
            found = self.client.v1.prices.list({"lookup_keys": keys, "limit": 10})
            self.prices |= {str(price.lookup_key): price.id for price in found.data}
        for price in catalog:
            if price["key"] in self.prices:
                continue
            name = price["product_key"]
            if name not in products:
                made = self.client.v1.products.create(
                    {"name": price["name"]}, _once(f"product/{name}")
                )
                products[name] = made.id
            self.prices[price["key"]] = self.client.v1.prices.create(
                {
                    "product": products[name],
                    "currency": "usd",
                    "unit_amount": price["amount_cents"],
                    "recurring": {"interval": price["period"]},
                    "lookup_key": price["key"],
                },
                _once(f"price/{price['key']}"),
            ).id

    def clock(self, at: int) -> str:
        """A test clock."""
        return self.client.v1.test_helpers.test_clocks.create({"frozen_time": at}).id

    def advance(self, clock: str, at: int) -> None:
        """Let its time pass. Raises LabError when that takes more than five minutes."""
        clocks, deadline = self.client.v1.test_helpers.test_clocks, time.monotonic() + 300
        moved = clocks.advance(clock, {"frozen_time": at})
        while moved.status != "ready":
            if time.monotonic() > deadline:
                raise LabError("the provider's test clock does not come to its new time: try again")
            time.sleep(1)
            moved = clocks.retrieve(clock)

    def sign_up(
        self,
        tenant: str,
        price: str,
        card: str | None,
        key: str,
        *,
        clock: str | None = None,
        trial_days: int = 0,
    ) -> tuple[str, str]:
        """A customer with a subscription; returns both ids. Without a card a trial pauses."""
        v1 = self.client.v1
        given: Any = {"metadata": {"tenant_id": tenant}}
        customer = v1.customers.create(
            given | ({"test_clock": clock} if clock else {}), _once(f"{key}/customer")
        ).id
        if card:
            self.set_card(customer, card, key)
        wanted: Any = {"customer": customer, "items": [{"price": self.prices[price]}]}
        wanted |= {"metadata": {"tenant_id": tenant}}
        if trial_days:
            pause: Any = {"end_behavior": {"missing_payment_method": "pause"}}
            wanted |= {"trial_period_days": trial_days, "trial_settings": pause}
        return customer, v1.subscriptions.create(wanted, _once(f"{key}/subscription")).id

    def set_card(self, customer: str, card: str, key: str) -> None:
        """Change what is charged."""
        v1 = self.client.v1
        method = v1.payment_methods.attach(card, {"customer": customer}, _once(f"{key}/card")).id
        settings: Any = {"invoice_settings": {"default_payment_method": method}}
        v1.customers.update(customer, settings, _once(f"{key}/default"))

    def upgrade(self, subscription: str, price: str, key: str) -> None:
        """At once, prorated and charged; a declined card changes nothing and raises CardError."""
        item = self._items(subscription)[0]["id"]
        wanted: Any = {"items": [{"id": item, "price": self.prices[price]}], **_AT_ONCE}
        self.client.v1.subscriptions.update(subscription, wanted, _once(key))

    def downgrade(self, subscription: str, price: str, key: str) -> None:
        """When the period ends."""
        v1, items = self.client.v1, self._items(subscription)
        made = v1.subscription_schedules.create(
            {"from_subscription": subscription}, _once(f"{key}/schedule")
        )
        now = [{"price": i["price"]["id"], "quantity": i["quantity"]} for i in items]
        then = [{"price": self.prices[price], "quantity": 1}, *now[1:]]
        present = made.phases[0]
        first = {"items": now, "start_date": present.start_date, "end_date": present.end_date}
        phases: Any = {"phases": [first, {"items": then}], "end_behavior": "release"}
        v1.subscription_schedules.update(made.id, phases, _once(f"{key}/phases"))

    def set_add_on(self, subscription: str, price: str, quantity: int, key: str) -> None:
        """So many of an add-on, at once and prorated."""
        wanted = self.prices[price]
        item = next((i for i in self._items(subscription) if i["price"]["id"] == wanted), None)
        change: Any = {"quantity": quantity} | ({"id": item["id"]} if item else {"price": wanted})
        wanted_items: Any = {"items": [change], **_AT_ONCE}
        self.client.v1.subscriptions.update(subscription, wanted_items, _once(key))

    def cancel(self, subscription: str, key: str, *, at_period_end: bool) -> None:
        """With the period, or at once."""
        v1 = self.client.v1
        if at_period_end:
            v1.subscriptions.update(subscription, {"cancel_at_period_end": True}, _once(key))
            return
        try:
            v1.subscriptions.cancel(subscription)
        except stripe.InvalidRequestError:  # has no key: an answer may have been lost
            if v1.subscriptions.retrieve(subscription).status != "canceled":
                raise

    def refund(self, payment: str, cents: int, key: str) -> None:
        """Give some of a payment back."""
        self.client.v1.refunds.create({"payment_intent": payment, "amount": cents}, _once(key))

    def pay(self, invoice: str, key: str) -> None:
        """Try an open invoice again, now. Raises CardError."""
        self.client.v1.invoices.pay(invoice, {}, _once(key))

    def preview(self, customer: str, subscription: str, price: str, at: int) -> int:
        """What an upgrade would cost at a time, in cents."""
        item = self._items(subscription)[0]["id"]
        details: Any = {
            "items": [{"id": item, "price": self.prices[price]}],
            "proration_date": at,
            "proration_behavior": "always_invoice",
        }
        asked: Any = {"customer": customer, "subscription": subscription}
        return self.client.v1.invoices.create_preview(
            asked | {"subscription_details": details}
        ).total

    def tenant_of(self, customer: str) -> str | None:
        """What the customer's metadata says. Raises LabError for an answer of another shape."""
        found = self.client.v1.customers.retrieve(customer)
        with _understood():
            if found["object"] != "customer":
                raise LookupError("customer")
            return _whole(found).get("metadata", {}).get("tenant_id")

    def customers(self, clock: str) -> list[str]:
        """Whose time is a test clock's."""
        asked: Any = {"test_clock": clock, "limit": _PAGE}
        return [c.id for c in self.client.v1.customers.list(asked).auto_paging_iter()]

    def events(self, clock: str | None = None) -> list[dict[str, Any]]:
        """All that the provider still knows (30 days), or what concerns the customers of a clock.

        What no webhook brought is found so.
        """
        found = self.client.v1.events.list({"limit": _PAGE}).auto_paging_iter()
        told = [_whole(e) for e in found]
        if clock is None:
            return told
        customers = set(self.customers(clock))
        return [e for e in told if _customer(e["data"]["object"]) in customers]

    def state(self, customer: str) -> State:
        """What the provider holds of a customer now, for ``billing.mirror``.

        Raises LabError for an answer of another shape, stripe.StripeError without one.
        """
        v1, asked = self.client.v1, {"customer": customer, "limit": _PAGE}

        def all_of(service: Any, **more: Any) -> list[dict[str, Any]]:
            return [_whole(o) for o in service.list({**asked, **more}).auto_paging_iter()]

        with _understood():
            invoices = all_of(v1.invoices, expand=["data.payments"])
            payments = all_of(v1.payment_intents, expand=["data.latest_charge.refunds"])
            subscriptions = all_of(v1.subscriptions, status="all", expand=["data.customer"])
            default = None
            for s in subscriptions[:1]:
                default = s["customer"]["invoice_settings"]["default_payment_method"]
            keys = {price: key for key, price in self.prices.items()}
            return state_of(subscriptions, invoices, payments, default, keys)

    def _items(self, subscription: str) -> list[dict[str, Any]]:
        return _whole(self.client.v1.subscriptions.retrieve(subscription))["items"]["data"]


_AT_ONCE = {"proration_behavior": "always_invoice", "payment_behavior": "error_if_incomplete"}


def _once(key: str) -> Any:
    return {"idempotency_key": key}


def _whole(of: stripe.StripeObject) -> dict[str, Any]:
    """An object with all of each list in it, of which an answer holds the first ten."""
    found = of.to_dict(recursive=False)
    for name, value in found.items():
        if isinstance(value, stripe.ListObject):
            found[name] = {"data": [_whole(o) for o in value.auto_paging_iter()]}
        elif isinstance(value, stripe.StripeObject):
            found[name] = _whole(value)
    return found


def _customer(of: Mapping[str, Any]) -> str | None:
    return of["id"] if of["object"] == "customer" else of.get("customer")


@contextmanager
def _understood() -> Iterator[None]:
    try:
        yield
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise LabError("the provider's answer is not of the shape its API describes") from error


def state_of(
    subscriptions: Sequence[Mapping[str, Any]],
    invoices: Sequence[Mapping[str, Any]],
    payments: Sequence[Mapping[str, Any]],
    default_method: str | None,
    keys: Mapping[str, str],
) -> State:
    """The provider's objects in the lab's words; ``keys`` are the lab's, by price."""
    issued = [_invoice(v, keys) for v in reversed(invoices) if v["status"] != "draft"]
    invoice_of = {v["payment"]: v["id"] for v in issued if v["payment"]}
    by_subscription = {
        s["id"]: [v for v in issued if v["subscription"] == s["id"]] for s in subscriptions
    }
    return {
        "subscriptions": [
            _subscription_of(s, by_subscription[s["id"]], default_method, keys)
            for s in reversed(subscriptions)
        ],
        "invoices": issued,
        "payments": [
            _payment(p) | {"invoice": invoice_of[p["id"]]}
            for p in reversed(payments)
            if p["id"] in invoice_of
        ],
        "charges": [
            _payment(p) | {"attempt": attempt}
            for p in reversed(payments)
            if (attempt := p["metadata"].get("attempt_id"))
        ],
    }


def _subscription_of(
    s: Mapping[str, Any], invoices: Sequence[State], default: str | None, keys: Mapping[str, str]
) -> State:
    items = s["items"]["data"]
    lines = [line for v in invoices for line in v["lines"]]
    held = [
        {
            "price": keys[i["price"]["id"]],
            "quantity": i["quantity"],
            "started": _started(i, keys[i["price"]["id"]], lines),
        }
        for i in items
    ]
    changed = [s["created"], items[0]["current_period_start"], s["canceled_at"], s["ended_at"]]
    changed += [i["started"] for i in held]
    return {
        "id": s["id"],
        "status": s["status"],
        "created": s["created"],
        "changed": max(at for at in changed if at),
        "period": items[0]["price"]["recurring"]["interval"],
        "period_start": items[0]["current_period_start"],
        "period_end": items[0]["current_period_end"],
        "trial_end": s["trial_end"],
        "cancel_at_period_end": s["cancel_at_period_end"],
        "canceled_at": s["canceled_at"],
        "ended_at": s["ended_at"],
        "payment_method": s["default_payment_method"] or default,
        "items": held,
    }


def _started(item: Mapping[str, Any], price: str, lines: Sequence[State]) -> int:
    """Since when an item is as it is: the first of its last lines that say so."""
    started = item["created"]
    told = [line for line in lines if line["item"] == item["id"] and line["amount"] >= 0]
    for line in reversed(told):
        if (line["price"], line["quantity"]) != (price, item["quantity"]):
            break
        started = line["start"]
    return started


def _invoice(v: Mapping[str, Any], keys: Mapping[str, str]) -> State:
    times = v["status_transitions"]
    payments = [p["payment"].get("payment_intent") for p in v["payments"]["data"]]
    return {
        "id": v["id"],
        "subscription": v["parent"]["subscription_details"]["subscription"],
        "status": v["status"],
        "reason": v["billing_reason"],
        "issued_at": times["finalized_at"],
        "closed_at": times["paid_at"] or times["voided_at"] or times["marked_uncollectible_at"],
        "total": v["total"],
        "amount_due": v["amount_due"],
        "attempts": v["attempt_count"],
        "payment": payments[-1] if payments else None,
        "lines": [
            {
                "id": line["id"],
                "item": line["parent"]["subscription_item_details"]["subscription_item"],
                "price": keys[line["pricing"]["price_details"]["price"]],
                "quantity": line["quantity"],
                "amount": line["amount"],
                "start": line["period"]["start"],
                "end": line["period"]["end"],
            }
            for line in v["lines"]["data"]
        ],
    }


def _payment(p: Mapping[str, Any]) -> State:
    charge = p["latest_charge"] or {}
    refunds = charge["refunds"]["data"] if charge else []
    status = _PAYMENT.get(p["status"], "pending")
    if status == "failed" and not p["last_payment_error"]:
        status = "pending"
    given = [r for r in refunds if _REFUND.get(r["status"]) != "failed"]
    return {
        "id": p["id"],
        "amount": p["amount"],
        "status": status,
        "created": p["created"],
        "ended_at": charge.get("created", p["created"]) if status != "pending" else None,
        "method": p["payment_method"] or "none",
        "failure": (p["last_payment_error"] or {}).get("code") or "unknown",
        "refunded": sum(r["amount"] for r in given),
        "refunds": [_refund(r) for r in refunds],
    }


def _refund(r: Mapping[str, Any]) -> State:
    told = {k: r[k] for k in ("id", "amount", "created", "reason")}
    told["refund"] = r["metadata"].get("refund_id")
    return told | {"status": _REFUND.get(r["status"], "pending")}
