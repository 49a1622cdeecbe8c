"""Subscriptions at the provider: their items, changes with proration, schedules, previews.

A change that is invoiced at once gives back what is left of the old item and charges what is left
of the new one, a line each. What time does to a subscription is told in ``books``.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from oltp_lab.neighbours.payments.provider.invoices import ENDED, Invoices, declined
from oltp_lab.neighbours.payments.provider.proration import period_end, remaining, settled
from oltp_lab.neighbours.payments.provider.store import DAY, HOUR, Object, Refusal, listed


@dataclass
class Subscriptions(Invoices):
    """What is sold to whom for each period."""

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
        made["items"] = listed([self._item(made, item) for item in given["items"]])
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
        self._not_ended(made)
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
        self._not_ended(made)
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
            "amount_due": settled(total, balance)[0], "lines": listed(lines),
        }  # fmt: skip

    def _not_ended(self, made: Object) -> None:
        if made["status"] in ENDED:
            message = f"No such subscription: '{made['id']}'"
            raise Refusal(404, "invalid_request_error", message, code="resource_missing")

    def _end(self, made: Object, status: str) -> None:
        now = self.now(made["customer"])
        made |= {"status": status, "ended_at": now, "canceled_at": made["canceled_at"] or now}
        for invoice in self._open(made):
            invoice["next_payment_attempt"] = None
        self.emit("customer.subscription.deleted", made)

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
        made["items"] = listed(items)

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
            raise declined()
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
            if old:
                credit = -remaining(_worth(old), starts, ends, at)
                lines.append(
                    self._line(made, old, 0 if trial else credit, at, ends, proration=True)
                )
            charge = _worth(item) if restarts else remaining(_worth(item), starts, ends, at)
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


def _worth(item: Object) -> int:
    return item["price"]["unit_amount"] * item["quantity"]
