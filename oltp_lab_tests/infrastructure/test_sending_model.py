"""Leave to send against a model that knows no counters, only the history of what was sent."""

import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from oltp_lab_tests.infrastructure.world import DAY, NOW, World

PERCENT = {"healthy": 100, "watched": 100, "throttled": 50, "quarantined": 10, "blocked": 0}
CURVES = {"tiny": ("day", [2, 3, 5]), "tiny_hour": ("hour", [1, 2])}
HEALTH = st.sampled_from(["healthy", "healthy", *PERCENT])
WAITS = [timedelta(minutes=m) for m in (0, 0, 1, 9, 10, 10, 59, 60, 300, 1440, 1500, 43199, 43200)]


@dataclass
class Sender:
    """An account or an address: what it may send, and what it has sent."""

    id: uuid.UUID
    curve: str
    cap: int
    gap: timedelta = timedelta(0)
    provider: str = "smtp"
    health: str = "healthy"
    active: bool = True
    sent: list[datetime] = field(default_factory=list)
    address: uuid.UUID | None = None
    period: tuple[datetime, datetime, int] | None = None  # begin, end, allowance

    def _day(self, at: datetime) -> int:
        day = 0
        for before, after in pairwise([*self.sent, at]):
            if after - before >= 30 * DAY:
                day = 0
            elif after.date() > before.date():
                day += 1
        return day

    def current_period(self, at: datetime) -> tuple[datetime, datetime, int]:
        """The period at a time; its allowance is fixed when its first mail goes out."""
        if self.period and at < self.period[1]:
            return self.period
        unit, steps = CURVES[self.curve]
        day = self._day(at)
        if day >= len(steps):
            unit = "day"
        begin = at.replace(minute=0, second=0) if unit == "hour" else at.replace(hour=0, minute=0)
        allowance = min(self.cap, steps[day]) if day < len(steps) else self.cap
        percent = PERCENT[self.health]
        allowance = max(1, allowance * percent // 100) if percent else 0
        return begin, begin + (timedelta(hours=1) if unit == "hour" else DAY), allowance

    def room(self, at: datetime) -> bool:
        begin, _, allowance = self.current_period(at)
        used = sum(sent >= begin for sent in self.sent) if self.period else 0
        return self.health != "blocked" and used < allowance

    def rested(self, at: datetime) -> bool:
        return not self.sent or at - self.sent[-1] >= self.gap

    def send(self, at: datetime) -> None:
        self.period = self.current_period(at)
        self.sent.append(at)


class Sending(RuleBasedStateMachine):
    """Three mailboxes (one of another provider) and two addresses of one tenant."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world, self.now = world, NOW
        self.tenant = world.tenant()
        domain = world.domain(self.tenant)
        self.accounts = []
        for provider, minutes, cap in (("smtp", 0, 4), ("smtp", 10, 3), ("google", 60, 2)):
            gap = timedelta(minutes=minutes)
            account = world.account(
                self.tenant, domain, provider=provider, minimum_gap=gap, daily_cap=cap,
                warmup_curve="tiny",
            )  # fmt: skip
            self.accounts.append(Sender(account, "tiny", cap, gap, provider))
        self.addresses = []
        for curve, cap in (("tiny", 4), ("tiny_hour", 3)):
            address = world.address(world.instance(), warmup_curve=curve, daily_cap=cap)
            world.call("assign_smtp_ip", self.tenant, address, NOW)
            self.addresses.append(Sender(address, curve, cap))

    @rule(which=st.integers(0, 2), health=HEALTH)
    def judge_account(self, which: int, health: str) -> None:
        self.accounts[which].health = health
        self.world.update("email_accounts", self.accounts[which].id, health=health)

    @rule(which=st.integers(0, 1), health=HEALTH)
    def judge_address(self, which: int, health: str) -> None:
        self.addresses[which].health = health
        self.world.update("smtp_ips", self.addresses[which].id, health=health)

    @rule(which=st.integers(0, 2))
    def pause_or_resume(self, which: int) -> None:
        account = self.accounts[which]
        account.active = not account.active
        status = "active" if account.active else "paused"
        self.world.call("set_email_account_status", self.tenant, account.id, status, self.now)

    @rule(waits=st.lists(st.sampled_from(WAITS), min_size=5, max_size=15))
    def send(self, waits: list[timedelta]) -> None:
        for wait in waits:
            self.now += wait
            self._send_one()

    def _send_one(self) -> None:
        slot = self.world.call("take_send_slot", self.tenant, self.now)
        open_accounts = [a for a in self.accounts if a.active and a.health != "blocked"]
        with_room = [a for a in open_accounts if a.room(self.now)]
        fit = [i for i in self.addresses if i.room(self.now)]
        able = [a for a in with_room if fit or a.provider != "smtp"]
        ready = [a for a in able if a.rested(self.now)]
        if not ready:
            refusal = (
                "no_account" if not open_accounts
                else "daily_limit" if not with_room
                else "ip_warming" if not able
                else "minimum_gap"
            )  # fmt: skip
            assert slot == {"email_account_id": None, "smtp_ip_id": None, "refusal": refusal}
            return
        longest = min(a.sent[-1:] for a in ready)
        (account,) = (a for a in ready if a.id == slot["email_account_id"])
        assert account.sent[-1:] == longest
        account.send(self.now)
        if account.provider == "smtp":
            (address,) = (i for i in fit if i.id == slot["smtp_ip_id"])
            assert address.id == account.address or account.address not in {i.id for i in fit}
            account.address = address.id
            address.send(self.now)

    def teardown(self) -> None:
        counted: Counter[uuid.UUID] = Counter()
        for row in self.world.rows(
            "select * from infrastructure.daily_sends where tenant_id = %s", self.tenant
        ):
            counted[row["email_account_id"]] += row["sent"]
            counted[row["smtp_ip_id"]] += row["sent"]
        for sender in (*self.accounts, *self.addresses):
            assert counted[sender.id] == len(sender.sent)


@pytest.fixture
def tiny_curves(world: World) -> Iterator[None]:
    """Curves that a few mails use up."""
    with world.database.connect(autocommit=True) as administrator:
        for curve, (period, steps) in CURVES.items():
            for day, allowance in enumerate(steps):
                administrator.execute(
                    "insert into infrastructure.warmup_steps values (%s, %s, %s, %s)",
                    [curve, day, period, allowance],
                )
        yield
        administrator.execute("delete from infrastructure.warmup_steps where curve like 'tiny%'")


@pytest.mark.usefixtures("tiny_curves")
def test_slots_are_those_of_the_model(world: World) -> None:
    run_state_machine_as_test(
        lambda: Sending(world),  # type: ignore[arg-type]
        settings=settings(max_examples=25, stateful_step_count=20, derandomize=True),
    )
