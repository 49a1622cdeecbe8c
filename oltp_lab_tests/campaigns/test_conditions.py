"""Conditions: all of them must hold, each asks for an event (or for none), within days or ever."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oltp_lab_tests.campaigns.world import Outreach, Running
from oltp_lab_tests.infrastructure.world import NOW

KINDS = ("opened", "clicked", "replied")
AT = NOW + timedelta(days=30)


@dataclass(frozen=True)
class Question:
    kind: str
    negated: bool
    days: int | None


@dataclass(frozen=True)
class Event:
    kind: str
    automatic: bool
    at: datetime


# To the second on both sides of each whole day, which is where the bounds are.
moments = st.tuples(st.integers(0, 31), st.sampled_from([-1, 0, 1])).map(
    lambda ago: AT - timedelta(days=ago[0], seconds=ago[1])
)
questions = st.lists(
    st.builds(
        Question, st.sampled_from(KINDS), st.booleans(), st.none() | st.integers(1, 30)
    ), max_size=4,
)  # fmt: skip
events = st.lists(st.builds(Event, st.sampled_from(KINDS), st.booleans(), moments), max_size=5)


def oracle(asked: list[Question], happened: list[Event]) -> bool:
    def occurred(question: Question) -> bool:
        return any(
            event.kind == question.kind and not event.automatic and event.at <= AT
            and (question.days is None or event.at > AT - timedelta(days=question.days))
            for event in happened
        )  # fmt: skip

    return all(occurred(question) != question.negated for question in asked)


@settings(max_examples=150, derandomize=True)
@given(asked=questions, happened=events)
def check(running: Running, asked: list[Question], happened: list[Event]) -> None:
    world, step = running.world, running.steps[1]
    with world.platform.transaction(force_rollback=True):
        for question in asked:
            world.run(
                "insert into campaigns.step_conditions"
                " (tenant_id, step_id, event_kind, negated, within_days)"
                " values (%s, %s, %s, %s, %s)",
                running.tenant, step, question.kind, question.negated, question.days,
            )  # fmt: skip
        for event in happened:
            world.run(
                "insert into campaigns.events (tenant_id, campaign_id, lead_id, step_id, kind,"
                " automatic, occurred_at) values (%s, %s, %s, %s, %s, %s, %s)",
                running.tenant, running.campaign, running.leads[0], running.steps[0],
                event.kind, event.automatic, event.at,
            )  # fmt: skip
        found = world.do(
            "conditions_hold", running.tenant, step, running.campaign, running.leads[0], AT
        )
    assert found == oracle(asked, happened)


def test_conditions_are_those_of_the_oracle(world: Outreach) -> None:
    tenant = world.mailer()
    campaign, steps = world.campaign(
        tenant, ("action", timedelta(0)), ("condition", timedelta(days=30))
    )
    leads = world.leads(tenant, 2)
    world.do("enroll_leads", tenant, campaign, leads, NOW)
    check(Running(world, tenant, campaign, steps, leads))


@pytest.mark.parametrize(
    ("kind", "automatic", "sent"), [(None, False, 2), ("opened", False, 3), ("opened", True, 2)]
)
def test_a_lead_goes_the_way_that_it_answered(
    world: Outreach, kind: str | None, automatic: bool, sent: int
) -> None:
    """First a mail; then another to who opened it, and a third to all: yes has two mails."""
    tenant = world.mailer()
    campaign, (first, asks) = world.campaign(
        tenant, ("action", timedelta(0)), ("condition", timedelta(days=2))
    )
    world.do("add_condition", tenant, asks, "opened", False, 2)
    template = world.template(tenant)
    hour = timedelta(hours=1)
    yes = world.do("add_step", tenant, campaign, "action", hour, asks, "yes", template)
    world.do("add_step", tenant, campaign, "action", hour, yes, "next", template)
    world.do("add_step", tenant, campaign, "action", hour, asks, "no", template)
    (lead,) = world.leads(tenant)
    world.do("start_campaign", tenant, campaign, NOW)
    world.do("enroll_leads", tenant, campaign, [lead], NOW)
    assert world.run_due(NOW) == ["sent"]
    if kind:
        world.do(
            "record_event", tenant, campaign, lead, first, kind, NOW + timedelta(days=1), automatic
        )
    assert world.run_due(NOW + timedelta(days=2, seconds=-1)) == []
    for after in range(4):
        world.run_due(NOW + timedelta(days=2, hours=after))
    assert dict(world.all("totals", tenant, campaign))["sent"] == sent
    status = world.value("select status from campaigns.enrollments where lead_id = %s", lead)
    assert status == "completed"


def test_questions_are_asked_of_conditions_that_do_not_run(world: Outreach) -> None:
    running = world.running(("action", timedelta(0)), ("wait", timedelta(0)))
    tenant = running.tenant
    with pytest.raises(Exception, match="is no condition"):
        world.do("add_condition", tenant, running.steps[1], "opened")
    world.do("pause_campaign", tenant, running.campaign, "to change it", NOW)
    asks = world.do("add_step", tenant, running.campaign, "condition", "0", running.steps[1])
    world.do("add_condition", tenant, asks, "opened")
    world.do("start_campaign", tenant, running.campaign, NOW)
    for function, *words in (
        ("add_condition", asks, "clicked"),
        ("add_step", running.campaign, "wait", "0", asks, "yes"),
    ):
        with pytest.raises(Exception, match=r"runs,? or has ended"):
            world.do(function, tenant, *words)
