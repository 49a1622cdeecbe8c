"""The lives of some tenants on a test clock, through the real client; then both ledgers compared.

Each tenant leads one of the lives below: a list of days and of what is asked for then. Faults come
on top: declined cards, answers that are too late, webhooks twice, lost, late and out of order.
"""

import time
import tomllib
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import stripe

from oltp_lab import sql
from oltp_lab.neighbours.payments.client import CARD, DECLINING_CARD
from oltp_lab.neighbours.payments.provider.deliveries import Faults
from oltp_lab.neighbours.payments.world import World, running
from oltp_lab.schema import build
from oltp_lab.servers import Database, databases
from oltp_lab.settings import Settings

START = int(datetime(2026, 1, 31, 10, tzinfo=UTC).timestamp())
_DAY = 86400
_WORKERS = 4
_PAUSE_S = 0.5
"""So that the events of one change are worked off together."""


@dataclass(frozen=True)
class Extent:
    """What ``payments.toml`` says."""

    tenants: int
    faults: Faults

    @classmethod
    def read(cls, scale: str) -> "Extent":
        described = tomllib.loads(sql.read("neighbours/payments/payments.toml"))
        return cls(described["tenants"][scale], Faults(**described["faults"]))


@dataclass
class Life:
    """A tenant; ``number`` decides what becomes of it."""

    world: World
    number: int
    tenant: str = field(default_factory=lambda: str(uuid.uuid4()))
    customer: str = ""
    subscription: str = ""
    seen: Counter[str] = field(default_factory=Counter)

    def key(self, what: str) -> str:
        return f"{self.tenant}/{what}"

    def begin(self, price: str, card: str | None = CARD, trial_days: int = 0) -> None:
        self.seen.update(("customers asked for", "subscriptions asked for"))
        provider = self.world.provider
        self.customer, self.subscription = provider.sign_up(
            self.tenant,
            price,
            card,
            self.key("sign_up"),
            clock=self.world.clock,
            trial_days=trial_days,
        )

    def upgrade(self, price: str, at: int) -> None:
        """Previewed by both before it is done: to the cent, or it is noted."""
        provider, plan = self.world.provider, price.partition(".")[0]
        theirs = provider.preview(self.customer, self.subscription, price, at)
        # another session than the processor's, who may be at work
        with self.world.database.connect("lab_platform") as connection:
            asked = {"tenant": self.tenant, "plan": plan, "at": at}
            (ours,) = connection.execute(self.world.queries["preview"], asked).fetchone() or (None,)
        self.seen["previews"] += 1
        self.seen["previews that differ"] += theirs != ours
        provider.upgrade(self.subscription, price, self.key(f"upgrade/{price}"))

    def upgrade_in_vain(self, price: str) -> None:
        try:
            self.world.provider.upgrade(self.subscription, price, self.key("in vain"))
        except stripe.CardError:
            self.seen["upgrades declined"] += 1

    def refund(self) -> None:
        (payment,) = self.world.provider.state(self.customer)["payments"][:1]
        key = self.key("refund")
        self.seen["refunds asked for"] += 1
        self.world.provider.refund(payment["id"], payment["amount"] // 2, key)

    def card(self, card: str, day: int) -> None:
        self.world.provider.set_card(self.customer, card, self.key(f"card/{day}"))

    def add_on(self, quantity: int) -> None:
        wanted = "extra_users.month.1"
        key = self.key(f"add_on/{quantity}")
        self.world.provider.set_add_on(self.subscription, wanted, quantity, key)

    def downgrade(self, price: str) -> None:
        self.world.provider.downgrade(self.subscription, price, self.key("downgrade"))

    def cancel(self, *, at_period_end: bool) -> None:
        key = self.key("cancel")
        self.world.provider.cancel(self.subscription, key, at_period_end=at_period_end)


def _at(day: int) -> int:
    """Not on a whole day, so that prorations are of odd seconds."""
    return START + day * _DAY + day * 137


Step = Callable[[Life], object]
LIVES: dict[str, dict[int, Step]] = {
    "renewed": {0: lambda a: a.begin("growth.month.1")},
    "trial": {0: lambda a: a.begin("starter.month.1", trial_days=14)},
    "trial without a card": {0: lambda a: a.begin("starter.month.1", None, 14)},
    "first charge declined": {0: lambda a: a.begin("growth.month.1", DECLINING_CARD)},
    "upgraded": {
        0: lambda a: a.begin("starter.month.1"),
        9: lambda a: a.upgrade("growth.month.1", _at(9)),
        20: lambda a: a.upgrade("scale.year.1", _at(20)) if a.number % 2 else None,
    },
    "downgraded": {
        0: lambda a: a.begin("scale.month.1"),
        12: lambda a: a.downgrade("starter.month.1"),
    },
    "add-ons": {
        0: lambda a: a.begin("growth.month.1"),
        7: lambda a: a.add_on(3),
        20: lambda a: a.add_on(5),
        36: lambda a: a.add_on(1),
    },
    "dunned and paid": {
        0: lambda a: a.begin("growth.month.1"),
        12: lambda a: a.card(DECLINING_CARD, 12),
        20: lambda a: a.upgrade_in_vain("scale.month.1"),
        36: lambda a: a.card(CARD, 36),
    },
    "dunned in vain": {
        0: lambda a: a.begin("starter.month.1"),
        20: lambda a: a.card(DECLINING_CARD, 20),
        60: lambda a: a.cancel(at_period_end=False),
    },
    "canceled and refunded": {
        0: lambda a: a.begin("enterprise.month.1"),
        7: lambda a: a.cancel(at_period_end=True),
        9: lambda a: a.refund(),
    },
}
SOLD = ("starter", "growth", "scale", "enterprise", "extra_users")
_MADE = ("customers", "subscriptions", "refunds")
DAYS = (0, 2, 7, 9, 12, 20, 30, 36, 60, 64)


@dataclass(frozen=True)
class Outcome:
    """What a run came to; ``counts`` are what was seen and done, ``differences`` sentences."""

    counts: dict[str, int]
    differences: list[str]
    by_rule: dict[str, int]
    seconds: float

    def converged(self) -> list[str]:
        """What is otherwise here than at the provider."""
        return self.differences

    def unbalanced(self) -> list[str]:
        """Sums that differ, and prices of changes that were foretold otherwise."""
        told = []
        for what in ("paid", "refunded", "open"):
            theirs, ours = (
                self.counts[f"{what} cents, provider"],
                self.counts[f"{what} cents, here"],
            )
            if theirs != ours:
                told.append(f"{what}: {theirs} cents at the provider, {ours} here")
        if differing := self.counts.get("previews that differ", 0):
            told.append(f"{differing} previews differ")
        if broken := self.counts["checks of money broken"]:
            told.append(f"{broken} rows break the check of money")
        return told

    def mishandled(self) -> list[str]:
        """Events that did not come, came twice or are not done with."""
        c, told = self.counts, []
        if c["events told"] != c["events kept"]:
            told.append(f"{c['events told']} events told, {c['events kept']} kept")
        if c["events processed"] != c["events kept"]:
            told.append(f"{c['events kept'] - c['events processed']} events not processed")
        return told

    def doubled(self) -> list[str]:
        """What was made at the provider otherwise than once for each time it was asked for."""
        c = self.counts
        return [
            f"{c[f'{what} made']} {what} made, {c[f'{what} asked for']} asked for"
            for what in _MADE
            if c[f"{what} made"] != c[f"{what} asked for"]
        ]

    def rows(self) -> list[dict[str, Any]]:
        """As measurements have them: what, times, seconds of the run."""
        counted = {**self.counts, **{f"diverged by {k}": v for k, v in self.by_rule.items()}}
        counted["differences"] = len(self.differences)
        return [
            {"what": what, "times": times, "seconds": self.seconds}
            for what, times in counted.items()
        ]


def run(settings: Settings, beside: Database, extent: Extent, *, seed: int) -> Outcome:
    """In a database of its own on the server of ``beside``, dropped afterwards.

    With a test account's key the provider is Stripe, where three customers share a test clock.
    """
    with databases.temporary(beside) as database:
        build.ensure(database)
        with running(settings, database, extent.faults, seed=seed, real=True) as world:
            return live(world, 3 if settings.stripe_api_key else extent.tenants)


def live(world: World, tenants: int) -> Outcome:
    """Let so many tenants live, work the inbox off meanwhile, and compare."""
    began, provider = time.monotonic(), world.provider
    provider.sell([price for price in world.rows("catalog") if price["product_key"] in SOLD])
    world.clock = provider.clock(START)
    lives = [Life(world, n) for n in range(tenants)]
    courses = list(LIVES.values())
    with ThreadPoolExecutor(_WORKERS) as pool:
        for day in DAYS:
            provider.advance(world.clock, _at(day))
            acting = [a for a in lives if day in courses[a.number % len(courses)]]
            if day == 0:
                for a in lives:
                    named = {"tenant": a.tenant, "name": f"Tenant {a.number}"}
                    world.connection.execute(world.queries["new_tenant"], named)
            done = [pool.submit(courses[a.number % len(courses)][day], a) for a in acting]
            while wait(done, _PAUSE_S).not_done:
                world.process()
            for d in done:
                d.result()
            if day + 2 in {9, 20}:  # what is previewed next must be here
                world.settle()
    world.settle()
    return compare(world, lives, time.monotonic() - began)


def compare(world: World, lives: list[Life], seconds: float) -> Outcome:
    """The provider's books with the OLTP's, once both have settled."""
    counts: Counter[str] = Counter({"tenants": len(lives)})
    for what in _MADE:
        counts[f"{what} asked for"] = counts[f"{what} made"] = 0
    counts["customers made"] = len(world.provider.customers(world.clock))
    differences: list[str] = []
    for a in lives:
        told = world.provider.state(a.customer)
        differences += world.differences(a.tenant, told)
        counts.update(a.seen)
        paid = [p for p in told["payments"] if p["status"] == "succeeded"]
        counts["paid cents, provider"] += sum(p["amount"] for p in paid)
        counts["refunded cents, provider"] += sum(p["refunded"] for p in paid)
        counts["open cents, provider"] += sum(
            v["amount_due"] for v in told["invoices"] if v["status"] in ("open", "uncollectible")
        )
        counts["subscriptions made"] += len(told["subscriptions"])
        counts["refunds made"] += sum(len(p["refunds"]) for p in told["payments"])
        counts[f"ended {told['subscriptions'][-1]['status']}"] += 1
    (ledger,), (inbox,) = world.rows("ledger"), world.rows("inbox")
    for what in ("paid", "refunded", "open"):
        counts[f"{what} cents, here"] = ledger[f"{what}_cents"]
    counts.update({"invoices": ledger["invoices"], "charges declined": ledger["declined"]})
    delivered = world.delivered() or {"events": len(world.provider.events(world.clock))}
    counts["answers too late"] = delivered.pop("late answers", 0)
    counts.update({f"deliveries: {k}": v for k, v in delivered.items()})
    counts["events told"] = delivered["events"]
    counts["events kept"], counts["events processed"] = inbox["events"], inbox["processed"]
    counts["events stale"] = inbox["stale"]
    counts["checks of money broken"] = len(world.breaches())
    by_rule = {row["rule"]: row["diverged"] for row in world.rows("diverged")}
    return Outcome({k: int(v) for k, v in counts.items()}, differences, by_rule, seconds)
