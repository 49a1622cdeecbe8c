"""How the provider gets its money: invoices, charges, dunning, refunds.

An invoice is finalized at once, a renewal's after an hour; a charge that fails is tried again after
1, 3, 5 and 7 days, then the subscription is unpaid.
"""

from dataclasses import dataclass
from typing import Any

from oltp_lab.neighbours.payments.provider.proration import settled
from oltp_lab.neighbours.payments.provider.store import (
    DAY,
    HOUR,
    Object,
    Refusal,
    Store,
    listed,
)

RETRIES = (1, 3, 5, 7)
"""Days between attempts."""
DECLINED = "pm_card_chargeCustomerFail"
ENDED = ("canceled", "incomplete_expired")


@dataclass
class Invoices(Store):
    """Who is to be charged, and was."""

    def pay_invoice(self, key: str, given: Object) -> Object:
        invoice = self.get("invoice", key)
        if invoice["status"] not in ("open", "uncollectible"):
            code = f"invoice_{invoice['status']}"
            raise Refusal(400, "invalid_request_error", "Invoice is not payable", code=code)
        self._charge(invoice, given.get("payment_method"))
        if invoice["status"] != "paid":
            raise declined()
        return invoice

    def charge(self, given: Object) -> Object:
        """A payment that is confirmed at once, of what somebody else billed."""
        customer = self.get("customer", given["customer"])
        metadata = given.get("metadata", {})
        intent = self._intend(customer["id"], int(given["amount"]), metadata=metadata)
        if not self._try(intent, self.get("payment_method", given["payment_method"])):
            raise declined()
        return intent

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
            metadata=given.get("metadata", {}),
        )  # fmt: skip
        refunds.append(made)
        charge["amount_refunded"] += amount
        self.emit("charge.refunded", {**charge, "customer": intent["customer"]})
        return made

    def _open(self, made: Object) -> list[Object]:
        return [
            v for v in self.all("invoice", made["customer"])
            if v["status"] == "open" and _subscription(v) == made["id"]
        ]  # fmt: skip

    def _balance(self, made: Object) -> int:
        return self.get("customer", made["customer"])["balance"]

    def _bill(self, made: Object, reason: str, lines: list[Object]) -> None:
        now, total = self.now(made["customer"]), sum(line["amount"] for line in lines)
        invoice = self.add(
            "in", "invoice", made["customer"], status="draft", billing_reason=reason, created=now,
            total=total, subtotal=total, amount_due=max(total, 0), amount_paid=0, currency="usd",
            starting_balance=0, ending_balance=None, attempt_count=0, next_payment_attempt=None,
            lines=listed(lines), payments=listed([]), automatically_finalizes_at=now + HOUR,
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
        due, customer["balance"] = settled(invoice["total"], balance)
        invoice |= {
            "status": "open", "starting_balance": balance, "ending_balance": customer["balance"],
            "amount_due": due, "automatically_finalizes_at": None,
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
        invoice["attempt_count"] += 1
        if self._try(self._intent_of(invoice), card):
            self._paid(invoice, made)
        else:
            self._unpaid(invoice, made, self.now(invoice["customer"]))

    def _try(self, intent: Object, card: Object | None) -> bool:
        """Charge a card; whether it was not declined."""
        good = bool(card and not card["_declined"])
        intent["payment_method"] = card and card["id"]
        intent["latest_charge"] = self.add(
            "ch", "charge", None, amount=intent["amount"], amount_refunded=0,
            created=self.now(intent["customer"]), status="succeeded" if good else "failed",
            payment_intent=intent["id"], refunds=listed([]),
        )  # fmt: skip
        intent["status"] = "succeeded" if good else "requires_payment_method"
        intent["last_payment_error"] = None if good else declined().error
        self.emit(f"payment_intent.{'succeeded' if good else 'payment_failed'}", intent)
        return good

    def _intent_of(self, invoice: Object) -> Object:
        if invoice["payments"]["data"]:
            return self.get("payment_intent", _intent(invoice))
        intent = self._intend(invoice["customer"], invoice["amount_due"])
        payment = {"type": "payment_intent", "payment_intent": intent["id"]}
        invoice["payments"]["data"].append({"object": "invoice_payment", "payment": payment})
        return intent

    def _intend(self, customer: str, amount: int, **more: Any) -> Object:
        return self.add(
            "pi", "payment_intent", customer, amount=amount, currency="usd",
            status="requires_payment_method", latest_charge=None, last_payment_error=None,
            payment_method=None, created=self.now(customer), **more,
        )  # fmt: skip

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
        again = tried <= len(RETRIES) and made["status"] not in ("incomplete", *ENDED)
        invoice["next_payment_attempt"] = now + RETRIES[tried - 1] * DAY if again else None
        self.emit("invoice.payment_failed", invoice)
        before = made["status"]
        if before in ("trialing", "active"):
            made["status"] = "past_due"
        if not again and made["status"] == "past_due":
            made["status"] = "unpaid"
        if made["status"] != before:
            self.emit("customer.subscription.updated", made)


def declined() -> Refusal:
    """As a card error is answered."""
    told = {"code": "card_declined", "decline_code": "generic_decline"}
    return Refusal(402, "card_error", "Your card was declined.", **told)


def _subscription(invoice: Object) -> str:
    return invoice["parent"]["subscription_details"]["subscription"]


def _intent(invoice: Object) -> str:
    return invoice["payments"]["data"][0]["payment"]["payment_intent"]
