"""One campaign and its leads against a small model, whatever happens in whatever order."""

import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from oltp_lab_tests.campaigns.test_transitions import DOCUMENTED, VERBS
from oltp_lab_tests.campaigns.world import Outreach, replaced
from oltp_lab_tests.infrastructure.world import NOW

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# A mail; a day later: was it opened within three days? Then another after a day, else after two
# hours one with a wait after it. Name -> kind, delay, what follows on which branch.
STEPS: dict[str, tuple[str, timedelta, dict[str, str]]] = {
    "first": ("action", timedelta(0), {"next": "asks"}),
    "asks": ("condition", DAY, {"yes": "more", "no": "again"}),
    "more": ("action", DAY, {}),
    "again": ("action", 2 * HOUR, {"next": "rest"}),
    "rest": ("wait", DAY, {}),
}
# Every rule lets time pass first, in which the workers do what is due.
PASSES = st.sampled_from([timedelta(0), HOUR, 2 * HOUR, 7 * HOUR, DAY, 3 * DAY])
GONE = {"unsubscribed", "bounced", "complained"}
RANK = {"new": 0, "contacted": 1, "engaged": 2, "replied": 3, "unsubscribed": 4, "bounced": 5,
        "complained": 6}  # fmt: skip
MEANS = {"opened": "engaged", "clicked": "engaged"}


def opens(at: datetime) -> datetime:
    """Monday to Friday from 8 to 18, UTC."""
    while not (at.isoweekday() <= 5 and 8 <= at.hour < 18):
        at = (at + HOUR).replace(minute=0, second=0)
    return at


@dataclass
class Enrollment:
    due: datetime | str | None
    step: str = "first"
    status: str = "active"
    stopped: str | None = None
    held: str | None = None
    since: datetime | None = None
    rotation: int = 1

    def stop(self, reason: str) -> None:
        if self.status == "active":
            self.status, self.stopped = "stopped", reason
            self.due = self.held = self.since = None

    def hold(self, reason: str, until: datetime | str, since: datetime) -> str:
        self.due, self.held, self.since = until, reason, self.since or since
        return reason

    def goes_on(self, branch: str, now: datetime) -> None:
        follows = STEPS[self.step][2].get(branch)
        self.held = self.since = None
        self.status = "active" if follows else "completed"
        self.due = now + STEPS[follows][1] if follows else None
        self.step = follows or self.step


@dataclass
class Lead:
    id: uuid.UUID
    status: str = "new"
    suppressed: datetime | None = None  # until
    mails: list[str] = field(default_factory=list)
    opened: list[datetime] = field(default_factory=list)
    enrollment: Enrollment | None = None

    def may_be_written_to(self, now: datetime) -> bool:
        return self.status not in GONE and not (self.suppressed and self.suppressed > now)


class Campaign(RuleBasedStateMachine):
    def __init__(self, world: Outreach, seen: Counter[str]) -> None:
        super().__init__()
        self.seen = seen
        self.world, self.now, self.status = world, NOW, "draft"
        self.tenant = world.mailer()
        self.campaign, _ = world.do("create_campaign", self.tenant, "Hello", "UTC", None, NOW)
        world.do("set_window", self.tenant, self.campaign, "08:00", "18:00", [1, 2, 3, 4, 5])
        self.steps: dict[str, uuid.UUID] = {}
        before: dict[str, tuple[str, str]] = {
            follows: (name, branch)
            for name, (_, _, branches) in STEPS.items()
            for branch, follows in branches.items()
        }
        for name, (kind, delay, _) in STEPS.items():
            parent, branch = before.get(name, (None, "next"))
            template = world.template(self.tenant) if kind == "action" else None
            self.steps[name] = world.do(
                "add_step", self.tenant, self.campaign, kind, delay,
                self.steps[parent] if parent else None, branch, template,
            )  # fmt: skip
        world.do("add_condition", self.tenant, self.steps["asks"], "opened", False, 3)
        self.leads = [Lead(key) for key in world.leads(self.tenant, 3)]
        self.sent = 0

    # The campaign ----------------------------------------------------------------------------

    @initialize(first=st.sampled_from(["running", "running", "scheduled", "draft"]))
    def begin(self, first: str) -> None:
        """Most begin to run at once, or little would be sent."""
        self.enroll([0, 1], timedelta(0))
        self.ask_for(first, timedelta(0))

    @rule(
        wanted=st.sampled_from(["running", "paused", "scheduled"] * 2 + sorted(DOCUMENTED)),
        passes=PASSES,
    )
    def ask_for(self, wanted: str, passes: timedelta) -> None:
        self.work(passes)
        verb, *words = VERBS[wanted]
        if wanted == "scheduled":
            words = [self.now + DAY]
        try:
            self.world.do(verb, self.tenant, self.campaign, *words, self.now)
        except psycopg.errors.CheckViolation:
            assert wanted not in DOCUMENTED[self.status]
            return
        assert wanted in DOCUMENTED[self.status]
        self.status = wanted
        self.seen[wanted] += 1
        for enrollment in self.enrollments:
            if wanted in ("finished", "cancelled"):
                enrollment.stop(wanted)
            elif wanted == "running" and enrollment.due == "infinity":
                enrollment.due, enrollment.held, enrollment.since = self.now, None, None

    @property
    def enrollments(self) -> list[Enrollment]:
        return [lead.enrollment for lead in self.leads if lead.enrollment]

    # Leads -----------------------------------------------------------------------------------

    @rule(which=st.lists(st.integers(0, 2), max_size=3), passes=PASSES)
    def enroll(self, which: list[int], passes: timedelta) -> None:
        self.work(passes)
        new = [
            lead for n, lead in enumerate(self.leads)
            if n in which and not lead.enrollment and lead.may_be_written_to(self.now)
        ]  # fmt: skip
        try:
            enrolled = self.world.do(
                "enroll_leads",
                self.tenant,
                self.campaign,
                [self.leads[n].id for n in which],
                self.now,
            )
        except psycopg.errors.ObjectNotInPrerequisiteState:
            assert self.status in ("finished", "cancelled")
            return
        assert enrolled == len(new)
        for lead in new:
            lead.enrollment = Enrollment(due=self.now)

    @rule(which=st.integers(0, 2), passes=PASSES)
    def enroll_again(self, which: int, passes: timedelta) -> None:
        self.work(passes)
        lead = self.leads[which]
        held = lead.enrollment
        turn = self.world.do("enroll_again", self.tenant, self.campaign, lead.id, self.now)
        if (
            held and held.status == "completed" and lead.may_be_written_to(self.now)
            and self.status not in ("finished", "cancelled")
        ):  # fmt: skip
            lead.enrollment = Enrollment(due=self.now, rotation=held.rotation + 1)
            assert turn == held.rotation + 1
        else:
            assert turn is None

    @rule(which=st.integers(0, 2), days=st.none() | st.integers(1, 3), passes=PASSES)
    def suppress(self, which: int, days: int | None, passes: timedelta) -> None:
        self.work(passes)
        lead = self.leads[which]
        until = self.now + days * DAY if days else None
        self.world.run(
            "select campaigns.suppress(tenant_id, email, 'manual', %s, %s) from campaigns.leads"
            " where id = %s", until, self.now, lead.id,
        )  # fmt: skip
        forever = datetime.max.replace(tzinfo=NOW.tzinfo)
        lead.suppressed = max(lead.suppressed or self.now, until or forever)
        if lead.enrollment:
            lead.enrollment.stop("suppressed")

    @rule(
        which=st.integers(0, 2), automatic=st.sampled_from([False, False, True]),
        kind=st.sampled_from(["delivered", "opened", "clicked", "replied", *sorted(GONE)]),
        passes=PASSES,
    )  # fmt: skip
    def happens(self, which: int, kind: str, automatic: bool, passes: timedelta) -> None:
        self.work(passes)
        lead = self.leads[which]
        if not lead.mails:
            return
        self.world.do(
            "record_event", self.tenant, self.campaign, lead.id, self.steps[lead.mails[-1]],
            kind, self.now, automatic,
        )  # fmt: skip
        if automatic:
            return
        if kind == "opened":
            lead.opened.append(self.now)
        means = MEANS.get(kind, kind)
        if lead.status not in GONE and RANK.get(means, 0) > RANK[lead.status]:
            lead.status = means
        if kind in GONE:
            lead.suppressed = datetime.max.replace(tzinfo=NOW.tzinfo)
        if lead.enrollment and kind in GONE | {"replied"}:
            lead.enrollment.stop(kind)

    # Time ------------------------------------------------------------------------------------

    @rule(passes=PASSES)
    def work(self, passes: timedelta) -> None:
        self._work()
        self.now += passes
        self._work()

    def _work(self) -> None:
        outcomes = Counter(self.world.run_due(self.now))
        assert outcomes == Counter(
            self._executed(lead, lead.enrollment)
            for lead in self.leads
            if lead.enrollment and isinstance(lead.enrollment.due, datetime)
            and lead.enrollment.due <= self.now
        )  # fmt: skip
        self.seen.update(outcomes)

    def _executed(self, lead: Lead, enrollment: Enrollment) -> str:
        kind, _, _ = STEPS[enrollment.step]
        if self.status != "running":
            return enrollment.hold("campaign_not_running", "infinity", self.now)
        if kind == "condition":
            recent = any(at > self.now - 3 * DAY for at in lead.opened)
            enrollment.goes_on("yes" if recent else "no", self.now)
            return "passed"
        if kind == "wait":
            enrollment.goes_on("next", self.now)
            return "passed"
        assert lead.may_be_written_to(self.now), "who must not be written to is not on the way"
        if (moment := opens(self.now)) > self.now:
            return enrollment.hold("outside_window", moment, moment)
        lead.mails.append(enrollment.step)
        lead.status = "contacted" if lead.status == "new" else lead.status
        enrollment.goes_on("next", self.now)
        self.sent += 1
        return "sent"

    # What holds always -----------------------------------------------------------------------

    @invariant()
    def campaign_and_leads_are_the_model_s(self) -> None:
        assert self.world.status("campaigns", self.campaign) == self.status
        found = self.world.rows(
            "select l.id, l.status, e.status as way, e.step_id, e.stop_reason,"
            " coalesce(e.due_at = 'infinity', false) as parked,"
            " nullif(e.due_at, 'infinity') as due_at,"
            " e.deferred_for, e.deferred_since, e.rotation"
            " from campaigns.leads l left join campaigns.enrollments e"
            " on e.tenant_id = l.tenant_id and e.lead_id = l.id"
            " where l.tenant_id = %s order by l.id",
            self.tenant,
        )
        for lead, row in zip(self.leads, found, strict=True):
            assert row["status"] == lead.status
            assert (row["way"] is None) == (lead.enrollment is None)
            if held := lead.enrollment:
                assert (
                    row["way"], row["step_id"], row["stop_reason"], row["deferred_for"],
                    row["deferred_since"], row["rotation"],
                ) == (
                    held.status, self.steps[held.step], held.stopped, held.held, held.since,
                    held.rotation,
                )  # fmt: skip
                assert ("infinity" if row["parked"] else row["due_at"]) == held.due

    @invariant()
    def executions_and_counters_balance(self) -> None:
        self.world.balanced(self.campaign)
        found = self.world.rows(
            "select x.*, l.status as lead_status from campaigns.step_executions x"
            " join campaigns.enrollments e on e.tenant_id = x.tenant_id and e.id = x.enrollment_id"
            " join campaigns.leads l on l.tenant_id = e.tenant_id and l.id = e.lead_id"
            " where x.tenant_id = %s", self.tenant,
        )  # fmt: skip
        once = Counter((row["enrollment_id"], row["step_id"], row["rotation"]) for row in found)
        assert all(times == 1 for times in once.values())
        mails = [row for row in found if row["status"] == "sent"]
        assert len(mails) == self.sent
        for row in mails:
            assert opens(row["executed_at"]) == row["executed_at"]
            assert row["executed_at"] >= row["due_at"]
            assert row["lead_status"] != "new"

    def teardown(self) -> None:
        self.world.run("update public.tenants set status = 'suspended' where id = %s", self.tenant)


def run_against_the_model(world: Outreach, **limits: Any) -> Counter[str]:
    seen: Counter[str] = Counter()
    run_state_machine_as_test(
        lambda: Campaign(world, seen),  # type: ignore[arg-type]
        settings=settings(derandomize=True, **limits),
    )
    return seen


def test_a_campaign_does_what_the_model_does(world: Outreach) -> None:
    seen = run_against_the_model(world, max_examples=60, stateful_step_count=30)
    assert set(seen) >= {
        *DOCUMENTED,
        "sent",
        "passed",
        "outside_window",
        "campaign_not_running",
    } - {"draft"}
    assert seen["sent"] > 30, seen


@pytest.mark.parametrize(
    ("function", "change"),
    [
        ("execute_step(uuid,uuid,timestamptz)", ("opens_at > at", "false")),
        ("execute_step(uuid,uuid,timestamptz)", ("job.campaign_status <> 'running'", "false")),
        ("defer(uuid,uuid,text,timestamptz,timestamptz,timestamptz)",
         (r"COALESCE\(e.deferred_since, defer.since\)", "defer.since")),
        ("count(uuid,uuid,text)", ("total \\+ excluded.total", "total")),
    ],
    ids=["outside windows", "while not running", "put off anew", "not counted"],
)  # fmt: skip
def test_the_control_of_the_model(world: Outreach, function: str, change: tuple[str, str]) -> None:
    with (
        replaced(world, f"campaigns.{function}", change),
        pytest.raises(AssertionError),
    ):
        run_against_the_model(
            world, max_examples=60, stateful_step_count=30, phases=[Phase.generate]
        )
