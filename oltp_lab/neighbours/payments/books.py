"""What a provider of Stripe's shape keeps, and by which rules it bills: objects, clocks, events.

Objects are dicts as Stripe's API version 2026-10 answers them, as far as the lab uses them. Money
is cents, time is seconds. A line is prorated to the second and rounded by itself, half away from
zero; a renewal's invoice is a draft for an hour; a charge that fails is tried again after 1, 3, 5
and 7 days, then the subscription is unpaid; whose first charge fails expires after 23 hours.
"""

import copy
import itertools
import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

Object = dict[str, Any]
API_VERSION = "2026-10-28.endive"
HOUR, DAY = 3600, 86400
RETRIES = (1, 3, 5, 7)
"""Days between attempts."""
DECLINED = "pm_card_chargeCustomerFail"
_ENDED = ("canceled", "incomplete_expired")


class Refusal(Exception):  # noqa: N818
    """An error as Stripe answers it."""

    def __init__(self, status: int, kind: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"type": kind, "message": message, **more}


def round_half_away(amount: Fraction) -> int:
    """To whole cents."""
    return (abs(amount) + Fraction(1, 2)).__floor__() * (1 if amount >= 0 else -1)


def months_after(anchor: int, months: int) -> int:
    """Counted from the anchor: one begun on the 31st ends on the last day of a shorter month."""
    begun = datetime.fromtimestamp(anchor, UTC)
    year, month = divmod(begun.year * 12 + begun.month - 1 + months, 12)
    for day in range(begun.day, begun.day - 4, -1):
        try:
            return int(begun.replace(year=year, month=month + 1, day=day).timestamp())
        except ValueError:
            continue
    raise AssertionError(anchor)


def period_end(anchor: int, interval: str, after: int) -> int:
    """The first end of a period, counted from the anchor, that comes after a time."""
    step = 12 if interval == "year" else 1
    return next(end for n in itertools.count(1) if (end := months_after(anchor, n * step)) > after)


@dataclass
class Books:
    """All that the provider knows; one thread at a time."""

    objects: dict[str, Object] = field(default_factory=dict)
    of_customer: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    events: list[Object] = field(default_factory=list)
    tell: Callable[[Object], object] = lambda _: None
    _numbers: itertools.count = field(default_factory=itertools.count)
    _mark: str = field(default_factory=lambda: secrets.token_hex(4))

    def get(self, kind: str, key: Any) -> Object:
        """Raises Refusal when there is none."""
        found = self.objects.get(str(key))
        if not found or found["object"] != kind:
            message = f"No such {kind.replace('_', ' ')}: '{key}'"
            raise Refusal(404, "invalid_request_error", message, code="resource_missing")
        return found

    def all(self, kind: str, customer: str | None = None) -> list[Object]:
        """Newest first."""
        keys = self.of_customer.get(customer, []) if customer else list(self.objects)
        return [o for k in reversed(keys) if (o := self.objects[k])["object"] == kind]

    def now(self, customer: str | None) -> int:
        """By the customer's test clock, if it has one."""
        clock = customer and self.get("customer", customer)["test_clock"]
        return self.get("test_helpers.test_clock", clock)["frozen_time"] if clock else _seconds()

    def add(self, prefix: str, kind: str, customer: str | None, **more: Any) -> Object:
        """A new object."""
        key = f"{prefix}_{self._mark}{next(self._numbers):08x}"
        made = {"id": key, "object": kind, "livemode": False, "metadata": {}, **more}
        if customer:
            made["customer"] = customer
            self.of_customer[customer].append(key)
        self.objects[key] = made
        return made

    def emit(self, kind: str, about: Object) -> None:
        """An event, with the object as it is now."""
        customer = about["id"] if about["object"] == "customer" else about["customer"]
        told = {k: v for k, v in about.items() if not k.startswith("_")}
        self.events.append(
            {
                "id": f"evt_{self._mark}{next(self._numbers):08x}",
                "object": "event",
                "api_version": API_VERSION,
                "created": self.now(customer),
                "livemode": False,
                "type": kind,
                "data": {"object": copy.deepcopy(told)},
            }
        )
        self.tell(self.events[-1])

    # What is sold, and to whom.

    def create_product(self, given: Object) -> Object:
        return self.add("prod", "product", None, name=given["name"], active=True)

    def create_price(self, given: Object) -> Object:
        self.get("product", given["product"])
        return self.add(
            "price", "price", None, active=True, currency=given["currency"],
            product=given["product"], unit_amount=int(given["unit_amount"]), type="recurring",
            lookup_key=given.get("lookup_key"), created=_seconds(),
            recurring={"interval": given["recurring"]["interval"], "interval_count": 1},
        )  # fmt: skip

    def create_clock(self, given: Object) -> Object:
        frozen = int(given["frozen_time"])
        return self.add(
            "clock", "test_helpers.test_clock", None, frozen_time=frozen, status="ready"
        )

    def create_customer(self, given: Object) -> Object:
        clock = given.get("test_clock")
        made = self.add(
            "cus", "customer", None, balance=0, test_clock=clock, email=given.get("email"),
            metadata=given.get("metadata", {}), invoice_settings={"default_payment_method": None},
        )  # fmt: skip
        made["created"] = self.now(made["id"])
        self.emit("customer.created", made)
        return made

    def attach(self, method: str, given: Object) -> Object:
        """A card of the customer's own, made of a test card or kept."""
        self.get("customer", given["customer"])
        return self.add(
            "pm", "payment_method", given["customer"], type="card", _declined=method == DECLINED
        )

    def update_customer(self, key: str, given: Object) -> Object:
        customer = self.get("customer", key)
        customer["metadata"] |= given.get("metadata", {})
        if method := given.get("invoice_settings", {}).get("default_payment_method"):
            customer["invoice_settings"]["default_payment_method"] = method
        self.emit("customer.updated", customer)
        return customer

    # Subscriptions.

    def create_subscription(self, given: Object) -> Object:
        customer, now = given["customer"], self.now(given["customer"])
        self.get("customer", customer)
        days = int(given.get("trial_period_days", 0))
        made = self.add(
            "sub", "subscription", customer, status="trialing" if days else "incomplete",
            created=now, start_date=now, billing_cycle_anchor=now, trial_end=None,
            cancel_at_period_end=False, canceled_at=None, ended_at=None, schedule=None,
            metadata=given.get("metadata", {}), default_payment_method=None, _phase=None,
            default_incomplete_ends=now + 23 * HOUR,
        )  # fmt: skip
        made["items"] = _list([self._item(made, item) for item in given["items"]])
        if days:
            made["trial_end"] = made["billing_cycle_anchor"] = now + days * DAY
            self._set_period(made, now, made["trial_end"])
        else:
            self._set_period(made, now, period_end(now, self._interval(made), now))
        self.emit("customer.subscription.created", made)
        lines = [self._line(made, item, 0 if days else None) for item in made["items"]["data"]]
        self._bill(made, "subscription_create", lines)
        return made

    def update_subscription(self, key: str, given: Object) -> Object:
        made = self.get("subscription", key)
        if made["status"] in _ENDED:
            raise Refusal(404, "invalid_request_error", f"No such subscription: '{key}'")
        if "cancel_at_period_end" in given:
            made["cancel_at_period_end"] = given["cancel_at_period_end"] == "true"
            asked = self.now(made["customer"]) if made["cancel_at_period_end"] else None
            made["canceled_at"] = asked
        if "default_payment_method" in given:
            made["default_payment_method"] = given["default_payment_method"]
        made["metadata"] |= given.get("metadata", {})
        if "items" in given:
            self._change_items(made, given)
        self.emit("customer.subscription.updated", made)
        return made

    def cancel_subscription(self, key: str, _: Object) -> Object:
        made = self.get("subscription", key)
        self._end(made, "canceled")
        return made

    def schedule(self, given: Object) -> Object:
        """A schedule of a running subscription; its phases are told by ``plan``."""
        made = self.get("subscription", given["from_subscription"])
        schedule = self.add(
            "sub_sched", "subscription_schedule", made["customer"], subscription=made["id"],
            phases=[self._phase(made)], status="active", end_behavior="release",
        )  # fmt: skip
        made["schedule"] = schedule["id"]
        return schedule

    def plan(self, key: str, given: Object) -> Object:
        """The last phase begins when the present period ends."""
        schedule = self.get("subscription_schedule", key)
        made = self.get("subscription", schedule["subscription"])
        made["_phase"] = given["phases"][-1]["items"]
        schedule["phases"] = [self._phase(made), given["phases"][-1]]
        self.emit("customer.subscription.updated", made)
        return schedule

    def preview(self, given: Object) -> Object:
        """The invoice that a change would be billed with, if it were made at a time."""
        made = copy.deepcopy(self.get("subscription", given["subscription"]))
        details = given["subscription_details"]
        at = int(details.get("proration_date", self.now(made["customer"])))
        lines = self._prorate(made, details["items"], at)
        balance = self.get("customer", made["customer"])["balance"]
        total = sum(line["amount"] for line in lines)
        return {
            "object": "invoice", "customer": made["customer"], "total": total,
            "amount_due": max(total + balance, 0), "lines": _list(lines),
        }  # fmt: skip

    # Money.

    def pay_invoice(self, key: str, given: Object) -> Object:
        invoice = self.get("invoice", key)
        if invoice["status"] not in ("open", "uncollectible"):
            code = f"invoice_{invoice['status']}"
            raise Refusal(400, "invalid_request_error", "Invoice is not payable", code=code)
        self._charge(invoice, given.get("payment_method"))
        if invoice["status"] != "paid":
            raise _declined(self.get("payment_intent", _intent(invoice)))
        return invoice

    def refund(self, given: Object) -> Object:
        intent = self.get("payment_intent", given["payment_intent"])
        charge = intent["latest_charge"]
        refunds = charge and charge["refunds"]["data"]
        left = intent["amount"] - sum(r["amount"] for r in refunds) if charge else 0
        amount = int(given.get("amount", left))
        if intent["status"] != "succeeded" or not 0 < amount <= left:
            message = "The charge has not so much left to be refunded"
            raise Refusal(400, "invalid_request_error", message, code="charge_already_refunded")
        made = self.add(
            "re", "refund", None, amount=amount, payment_intent=intent["id"], status="succeeded",
            reason=given.get("reason"), created=self.now(intent["customer"]),
        )  # fmt: skip
        refunds.append(made)
        charge["amount_refunded"] += amount
        self.emit("charge.refunded", {**charge, "customer": intent["customer"]})
        return made

    # Time.

    def advance(self, key: str, given: Object) -> Object:
        """All that becomes due until then, of each customer in its order."""
        clock, until = self.get("test_helpers.test_clock", key), int(given["frozen_time"])
        if until < clock["frozen_time"]:
            raise Refusal(400, "invalid_request_error", "A test clock only goes forward")
        began = clock["frozen_time"]
        for customer in [o for o in self.objects.values() if o.get("test_clock") == key]:
            clock["frozen_time"] = began
            while due := self._due(customer["id"], until):
                clock["frozen_time"], act, about = due
                act(about)
        clock["frozen_time"] = until
        return clock

    def _due(
        self, customer: str, until: int
    ) -> tuple[int, Callable[[Object], object], Object] | None:
        """What comes first."""
        found: list[tuple[int, Callable[[Object], object], Object]] = []
        for made in self.all("subscription", customer):
            if made["status"] == "incomplete":
                found.append((made["default_incomplete_ends"], self._expire, made))
            elif made["status"] not in (*_ENDED, "paused"):
                found.append((made["_ends"], self._turn, made))
        for invoice in self.all("invoice", customer):
            if invoice["status"] == "draft":
                found.append((invoice["automatically_finalizes_at"], self._finalize, invoice))
            elif invoice["status"] == "open" and invoice["next_payment_attempt"]:
                found.append((invoice["next_payment_attempt"], self._charge, invoice))
        first = min(found, key=lambda due: due[0], default=None)
        return first if first and first[0] <= until else None

    def _turn(self, made: Object) -> None:
        """A period ends."""
        if made["cancel_at_period_end"]:
            self._end(made, "canceled")
            return
        trial = made["status"] == "trialing"
        if trial and not self._method(made):
            made["status"] = "paused"
            self.emit("customer.subscription.paused", made)
            return
        if made["_phase"]:
            self._replace(made, made["_phase"])
            made["_phase"] = made["schedule"] = None
        begins, interval = made["_ends"], self._interval(made)
        self._set_period(made, begins, period_end(made["billing_cycle_anchor"], interval, begins))
        if trial:
            made["status"] = "active"
        self.emit("customer.subscription.updated", made)
        lines = [self._line(made, item) for item in made["items"]["data"]]
        self._bill(made, "subscription_cycle", lines)

    def _expire(self, made: Object) -> None:
        for invoice in self._open(made):
            invoice["status"], invoice["next_payment_attempt"] = "void", None
            invoice["status_transitions"]["voided_at"] = self.now(made["customer"])
            self.emit("invoice.voided", invoice)
        self._end(made, "incomplete_expired")

    def _end(self, made: Object, status: str) -> None:
        now = self.now(made["customer"])
        made |= {"status": status, "ended_at": now, "canceled_at": made["canceled_at"] or now}
        for invoice in self._open(made):
            invoice["next_payment_attempt"] = None
        self.emit("customer.subscription.deleted", made)

    def _open(self, made: Object) -> list[Object]:
        return [
            v for v in self.all("invoice", made["customer"])
            if v["status"] == "open" and _subscription(v) == made["id"]
        ]  # fmt: skip

    # Items and lines.

    def _item(self, made: Object, given: Mapping[str, Any]) -> Object:
        price = self.get("price", given["price"])
        return self.add(
            "si", "subscription_item", None, subscription=made["id"], price=price,
            quantity=int(given.get("quantity", 1)), created=self.now(made["customer"]),
            current_period_start=made.get("_starts"), current_period_end=made.get("_ends"),
        )  # fmt: skip

    def _interval(self, made: Object) -> str:
        return made["items"]["data"][0]["price"]["recurring"]["interval"]

    def _set_period(self, made: Object, starts: int, ends: int) -> None:
        made["_starts"], made["_ends"] = starts, ends
        for item in made["items"]["data"]:
            item["current_period_start"], item["current_period_end"] = starts, ends

    def _phase(self, made: Object) -> Object:
        items = [
            {"price": i["price"]["id"], "quantity": i["quantity"]} for i in made["items"]["data"]
        ]
        return {"items": items, "start_date": made["_starts"], "end_date": made["_ends"]}

    def _replace(self, made: Object, wanted: list[Object]) -> None:
        """Items of the same product go on as they are called."""
        kept = {item["price"]["product"]: item for item in made["items"]["data"]}
        present = list(kept.values())
        items = []
        for place, new in enumerate(wanted):
            price = self.get("price", new["price"])
            item = kept.get(price["product"]) or (
                present[0] if place == 0 else self._item(made, new)
            )
            item["price"], item["quantity"] = price, int(new.get("quantity", 1))
            items.append(item)
        made["items"] = _list(items)

    def _change_items(self, made: Object, given: Object) -> None:
        now = self.now(made["customer"])
        lines = self._prorate(copy.deepcopy(made), given["items"], now)
        due = sum(line["amount"] for line in lines) + self._balance(made)
        strict = given.get("payment_behavior") == "error_if_incomplete"
        method = self._method(made)
        if (
            strict
            and made["status"] != "trialing"
            and due > 0
            and (not method or method["_declined"])
        ):
            raise _declined({"id": None, "last_payment_error": {"code": "card_declined"}})
        lines = self._prorate(made, given["items"], now)
        if given.get("proration_behavior") == "always_invoice" and made["status"] != "trialing":
            self.emit("customer.subscription.updated", made)
            self._bill(made, "subscription_update", lines)

    def _prorate(self, made: Object, wanted: list[Object], at: int) -> list[Object]:
        """Change the items, at a time; the lines that this is billed with."""
        starts, ends, before = made["_starts"], made["_ends"], self._interval(made)
        trial = made["status"] == "trialing"
        changed: list[tuple[Object | None, Object]] = []
        items = made["items"]["data"]
        for new in wanted:
            old = next((i for i in items if i["id"] == new.get("id")), None)
            if old is None and new.get("id"):
                raise Refusal(404, "invalid_request_error", f"No such item: '{new['id']}'")
            price = new.get("price") or (old and old["price"]["id"])
            item = self._item(made, {**new, "price": price}) if old is None else old
            changed.append((copy.deepcopy(old), item))
            item["price"] = self.get("price", price)
            item["quantity"] = int(new.get("quantity", item["quantity"]))
            if old is None:
                items.append(item)
        after = self._interval(made)
        restarts = after != before and not trial
        if any(i["price"]["recurring"]["interval"] != after for i in items):
            message = "All prices on a subscription must have the same interval"
            raise Refusal(400, "invalid_request_error", message)
        if restarts:
            made["billing_cycle_anchor"] = at
            self._set_period(made, at, period_end(at, after, at))
        else:
            self._set_period(made, starts, ends)
        lines = []
        for old, item in changed:
            share = Fraction(max(ends - at, 0), ends - starts)
            if old:
                credit = -round_half_away(_worth(old) * share)
                lines.append(
                    self._line(made, old, 0 if trial else credit, at, ends, proration=True)
                )
            charge = _worth(item) if restarts else round_half_away(_worth(item) * share)
            lines.append(
                self._line(made, item, 0 if trial else charge, at, made["_ends"], proration=True)
            )
        return lines

    def _line(
        self, made: Object, item: Object, amount: int | None = None, starts: int | None = None,
        ends: int | None = None, *, proration: bool = False,
    ) -> Object:  # fmt: skip
        details = {"subscription": made["id"], "subscription_item": item["id"]}
        return {
            "id": f"il_{self._mark}{next(self._numbers):08x}",
            "object": "line_item",
            "amount": _worth(item) if amount is None else amount,
            "currency": "usd",
            "quantity": item["quantity"],
            "period": {"start": starts or made["_starts"], "end": ends or made["_ends"]},
            "pricing": {
                "type": "price_details",
                "price_details": {
                    "price": item["price"]["id"],
                    "product": item["price"]["product"],
                },
            },
            "parent": {
                "type": "subscription_item_details",
                "subscription_item_details": {**details, "proration": proration},
            },
        }

    # Invoices.

    def _balance(self, made: Object) -> int:
        return self.get("customer", made["customer"])["balance"]

    def _bill(self, made: Object, reason: str, lines: list[Object]) -> None:
        now, total = self.now(made["customer"]), sum(line["amount"] for line in lines)
        invoice = self.add(
            "in", "invoice", made["customer"], status="draft", billing_reason=reason, created=now,
            total=total, subtotal=total, amount_due=max(total, 0), amount_paid=0, currency="usd",
            starting_balance=0, ending_balance=None, attempt_count=0, next_payment_attempt=None,
            lines=_list(lines), payments=_list([]), automatically_finalizes_at=now + HOUR,
            parent={
                "type": "subscription_details",
                "subscription_details": {"subscription": made["id"], "metadata": made["metadata"]},
            },
            status_transitions=dict.fromkeys(
                ("finalized_at", "paid_at", "voided_at", "marked_uncollectible_at")
            ),
        )  # fmt: skip
        self.emit("invoice.created", invoice)
        if reason != "subscription_cycle":
            self._finalize(invoice)

    def _finalize(self, invoice: Object) -> None:
        """Credit is used up, or carried forward; then it is charged."""
        customer = self.get("customer", invoice["customer"])
        balance = customer["balance"]
        left = invoice["total"] + balance
        customer["balance"] = min(left, 0)
        invoice |= {
            "status": "open", "starting_balance": balance, "ending_balance": min(left, 0),
            "amount_due": max(left, 0), "automatically_finalizes_at": None,
        }  # fmt: skip
        invoice["status_transitions"]["finalized_at"] = self.now(invoice["customer"])
        self.emit("invoice.finalized", invoice)
        self._charge(invoice)

    def _method(self, made: Object) -> Object | None:
        customer = self.get("customer", made["customer"])
        key = (
            made["default_payment_method"] or customer["invoice_settings"]["default_payment_method"]
        )
        return self.get("payment_method", key) if key else None

    def _charge(self, invoice: Object, method: str | None = None) -> None:
        made = self.get("subscription", _subscription(invoice))
        if not invoice["amount_due"]:
            self._paid(invoice, made)
            return
        card = self.get("payment_method", method) if method else self._method(made)
        now, intent = self.now(invoice["customer"]), self._intent_of(invoice)
        intent["payment_method"] = card and card["id"]
        invoice["attempt_count"] += 1
        if card and not card["_declined"]:
            charge = self.add(
                "ch", "charge", None, amount=intent["amount"], amount_refunded=0, created=now,
                status="succeeded", payment_intent=intent["id"], refunds=_list([]),
            )  # fmt: skip
            intent |= {"status": "succeeded", "latest_charge": charge, "last_payment_error": None}
            self.emit("payment_intent.succeeded", intent)
            self._paid(invoice, made)
            return
        charge = self.add(
            "ch", "charge", None, amount=intent["amount"], amount_refunded=0, created=now,
            status="failed", payment_intent=intent["id"], refunds=_list([]),
        )  # fmt: skip
        error = {
            "type": "card_error",
            "code": "card_declined",
            "message": "Your card was declined.",
        }
        intent |= {
            "status": "requires_payment_method", "latest_charge": charge,
            "last_payment_error": error,
        }  # fmt: skip
        self.emit("payment_intent.payment_failed", intent)
        self._unpaid(invoice, made, now)

    def _intent_of(self, invoice: Object) -> Object:
        if invoice["payments"]["data"]:
            return self.get("payment_intent", _intent(invoice))
        intent = self.add(
            "pi", "payment_intent", invoice["customer"], amount=invoice["amount_due"],
            currency="usd", status="requires_payment_method", latest_charge=None,
            last_payment_error=None, payment_method=None, created=self.now(invoice["customer"]),
        )  # fmt: skip
        payment = {"type": "payment_intent", "payment_intent": intent["id"]}
        invoice["payments"]["data"].append({"object": "invoice_payment", "payment": payment})
        return intent

    def _paid(self, invoice: Object, made: Object) -> None:
        invoice |= {
            "status": "paid", "amount_paid": invoice["amount_due"], "next_payment_attempt": None
        }  # fmt: skip
        invoice["status_transitions"]["paid_at"] = self.now(invoice["customer"])
        self.emit("invoice.paid", invoice)
        if made["status"] in ("incomplete", "past_due", "unpaid") and not self._open(made):
            made["status"] = "active"
            self.emit("customer.subscription.updated", made)

    def _unpaid(self, invoice: Object, made: Object, now: int) -> None:
        tried = invoice["attempt_count"]
        again = tried <= len(RETRIES) and made["status"] not in ("incomplete", *_ENDED)
        invoice["next_payment_attempt"] = now + RETRIES[tried - 1] * DAY if again else None
        self.emit("invoice.payment_failed", invoice)
        before = made["status"]
        if before in ("trialing", "active"):
            made["status"] = "past_due"
        if not again and made["status"] == "past_due":
            made["status"] = "unpaid"
        if made["status"] != before:
            self.emit("customer.subscription.updated", made)


def _declined(intent: Object) -> Refusal:
    code = (intent["last_payment_error"] or {}).get("code", "card_declined")
    message = "Your card was declined."
    return Refusal(402, "card_error", message, code=code, decline_code="generic_decline")


def _list(data: list[Object]) -> Object:
    return {"object": "list", "data": data, "has_more": False, "url": "/v1"}


def _worth(item: Object) -> int:
    return item["price"]["unit_amount"] * item["quantity"]


def _subscription(invoice: Object) -> str:
    return invoice["parent"]["subscription_details"]["subscription"]


def _intent(invoice: Object) -> str:
    return invoice["payments"]["data"][0]["payment"]["payment_intent"]


def _seconds() -> int:
    return int(time.time())
