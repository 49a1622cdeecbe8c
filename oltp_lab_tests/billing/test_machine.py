"""Any sequence of operations leaves money, history and limits in balance (stateful, hypothesis)."""

import re
from datetime import timedelta
from typing import Any

import psycopg
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from oltp_lab_tests.billing.conftest import call, make_account

PLANS = st.sampled_from(["free", "starter", "growth", "scale", "enterprise"])
PERIODS = st.sampled_from(["month", "year"])
ADD_ONS = st.sampled_from(["extra_emails", "extra_users", "dedicated_ip"])
# What operations refuse, and only that: anything else is a failure of the test.
REFUSALS = (
    "has a live subscription already|has no live subscription|has an open invoice|cannot go from"
    "|only a trialing or active one can be changed|is that already, or will be|is to end on"
    "|needs a payment method|there is nothing to resume|is paid or expires"
)


class Billing(RuleBasedStateMachine):
    """One tenant, its money in cents as the provider would count it."""

    connection: psycopg.Connection

    @initialize()
    def begin(self) -> None:
        self.account = make_account(self.connection)
        self.collected = 0
        self.given_back = 0
        self.keys = 0

    def teardown(self) -> None:
        self.account.retire()

    def _try(self, function: str, *arguments: object) -> Any:
        """The result, or None when it was refused with a reason (and nothing was changed)."""
        before = self._trace()
        try:
            return self.account.do(function, *arguments)
        except psycopg.Error as refusal:
            assert re.search(REFUSALS, refusal.diag.message_primary or ""), refusal
            assert self._trace() == before
            return None

    def _trace(self) -> list[dict[str, Any]]:
        return self.account.rows(
            "select 'invoice' as kind, id from billing.invoices where tenant_id = %s"
            " union all select 'item', id from billing.subscription_items where tenant_id = %s"
            " union all select 'change', id from billing.subscription_changes where tenant_id = %s",
            self.account.tenant,
            self.account.tenant,
        )

    @rule(plan=PLANS, period=PERIODS, card=st.booleans(), trial=st.booleans())
    def subscribe(self, plan: str, period: str, card: bool, trial: bool) -> None:
        self._try("create_subscription", plan, period, "pm_card" if card else None, trial)

    @rule(plan=PLANS, period=PERIODS)
    def change_plan(self, plan: str, period: str) -> None:
        self._try("change_plan", plan, period)

    @rule(add_on=ADD_ONS, quantity=st.integers(0, 3))
    def set_add_on(self, add_on: str, quantity: int) -> None:
        self._try("set_add_on", add_on, quantity)

    @rule(at_period_end=st.booleans())
    def cancel(self, at_period_end: bool) -> None:
        self._try("cancel_subscription", at_period_end)

    @rule(card=st.booleans())
    def resume(self, card: bool) -> None:
        self._try("resume_subscription", "pm_card" if card else None)

    @rule()
    def give_card(self) -> None:
        self._try("set_payment_method", "pm_card")

    @rule(succeeded=st.booleans(), told=st.integers(1, 2))
    def pay(self, succeeded: bool, told: int) -> None:
        for claimed in self.account.claim():
            for _ in range(told):
                self.account.do("finish_payment", claimed["attempt_id"], succeeded)
            self.collected += claimed["amount_cents"] if succeeded else 0

    @rule(share=st.floats(0.01, 1), succeeded=st.booleans())
    def refund(self, share: float, succeeded: bool) -> None:
        paid = self.account.rows(
            "select * from billing.payments where tenant_id = %s and status = 'succeeded'"
            " order by id desc limit 1"
        )
        for payment in paid:
            self.keys += 1
            amount = max(int(payment["amount_cents"] * share), 1)
            refund = self.account.do("refund_payment", payment["id"], amount, f"r{self.keys}", "?")
            if refund["refusal"] is None:
                self.account.do("finish_refund", refund["refund_id"], succeeded)
                self.given_back += amount if succeeded else 0

    @rule(wanted=st.sampled_from(["void", "uncollectible"]))
    def give_up(self, wanted: str) -> None:
        for invoice in self.account.invoices[-1:]:
            self._try("close_invoice", invoice["id"], wanted)

    @rule(hours=st.sampled_from([1, 25, 24 * 8, 24 * 15, 24 * 31, 24 * 366]))
    def wait(self, hours: int) -> None:
        self.account.now += timedelta(hours=hours)
        while self.account.advance():
            pass

    @rule(feature=st.sampled_from(["emails_per_month", "users", "leads"]), amount=st.integers(1, 9))
    def consume(self, feature: str, amount: int) -> None:
        granted = self.account.do("entitlement", feature)
        got = self.account.do("consume_limit", feature, amount)
        assert got["maximum"] == granted
        if got["allowed"]:
            assert granted is None or got["used"] <= granted
        else:
            assert got["refusal"] == "no_subscription" or got["used"] + amount > granted

    @rule(value=st.one_of(st.none(), st.integers(0, 20)), days=st.integers(1, 40))
    def override(self, value: int | None, days: int) -> None:
        end = self.account.now + timedelta(days=days)
        self.account.do("set_override", "users", value, "test", end)

    @invariant()
    def balances(self) -> None:
        if not hasattr(self, "account"):
            return
        assert self.account.breaches() == []
        (cash,) = self.account.rows(
            "select coalesce(sum(amount_cents), 0)::bigint as collected, coalesce(sum(("
            " select sum(r.amount_cents) from billing.refunds r where r.tenant_id = p.tenant_id"
            " and r.payment_id = p.id and r.status = 'succeeded')), 0)::bigint as given_back"
            " from billing.payments p where tenant_id = %s and status = 'succeeded'"
        )
        assert cash == {"collected": self.collected, "given_back": self.given_back}
        assert call(self.connection, "credit_balance", self.account.tenant)[0] >= 0

    @invariant()
    def counters_carry_the_limits(self) -> None:
        if hasattr(self, "account"):
            now = self.account.now
            stale = self.account.rows(
                "select * from billing.usage_counters c"
                " join billing.entitlements(%s, %s) e on e.feature_key = c.feature_key"
                " where c.tenant_id = %s and c.maximum is distinct from e.value"
                " and c.period_start <= %s and least(c.period_end, c.valid_until) > %s",
                now, self.account.tenant, now, now,
            )  # fmt: skip
            assert stale == []

    @precondition(lambda self: hasattr(self, "account"))
    @rule()
    def preview_changes_nothing(self) -> None:
        before = self._trace()
        call(self.connection, "preview_change", self.account.tenant, "scale", at=self.account.now)
        assert self._trace() == before


def test_any_sequence_of_operations_balances(platform: psycopg.Connection) -> None:
    Billing.connection = platform
    run_state_machine_as_test(
        Billing,
        settings=settings(
            max_examples=80,
            stateful_step_count=25,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
