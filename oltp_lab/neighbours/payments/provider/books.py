"""All that a provider of Stripe's shape knows: its customers, its catalog, and what time brings.

Time passes by test clocks. A period ends and is renewed, a trial without a card pauses, whose first
charge fails expires after 23 hours.
"""

from collections.abc import Callable
from dataclasses import dataclass

from oltp_lab.neighbours.payments.provider.invoices import DECLINED, ENDED
from oltp_lab.neighbours.payments.provider.proration import period_end
from oltp_lab.neighbours.payments.provider.store import Object, Refusal, seconds
from oltp_lab.neighbours.payments.provider.subscriptions import Subscriptions


@dataclass
class Books(Subscriptions):
    """The provider, without a network."""

    def create_product(self, given: Object) -> Object:
        return self.add("prod", "product", None, name=given["name"], active=True)

    def create_price(self, given: Object) -> Object:
        self.get("product", given["product"])
        return self.add(
            "price", "price", None, active=True, currency=given["currency"],
            product=given["product"], unit_amount=int(given["unit_amount"]), type="recurring",
            lookup_key=given.get("lookup_key"), created=seconds(),
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
            elif made["status"] not in (*ENDED, "paused"):
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
