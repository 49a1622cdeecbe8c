"""Which status follows which: every transition that is documented, and no other."""

import itertools
from datetime import timedelta

import psycopg
import pytest

from oltp_lab_tests.campaigns.world import Outreach
from oltp_lab_tests.infrastructure.world import NOW

STATUSES = ("draft", "scheduled", "running", "paused", "finished", "cancelled")
DOCUMENTED = {
    "draft": {"scheduled", "running"},
    "scheduled": {"draft", "running"},
    "running": {"paused", "finished", "cancelled"},
    "paused": {"scheduled", "running", "cancelled"},
    "finished": set(),
    "cancelled": set(),
}
VERBS = {
    "draft": ("unschedule_campaign",),
    "scheduled": ("schedule_campaign", NOW + timedelta(days=2)),
    "running": ("start_campaign",),
    "paused": ("pause_campaign", "because"),
    "finished": ("finish_campaign",),
    "cancelled": ("cancel_campaign",),
}
LEADS = ("new", "contacted", "engaged", "replied", "unsubscribed", "bounced", "complained")


def test_the_machine_in_the_database_is_the_documented_one(world: Outreach) -> None:
    found = world.rows(
        "select from_status, to_status from lab.transitions"
        " where table_name = 'campaigns.campaigns'"
    )
    assert {(row["from_status"], row["to_status"]) for row in found} == {
        (before, after) for before in DOCUMENTED for after in DOCUMENTED[before]
    }


@pytest.mark.parametrize(("before", "after"), list(itertools.product(STATUSES, STATUSES)))
def test_a_campaign_goes_only_where_it_may(world: Outreach, before: str, after: str) -> None:
    tenant = world.tenant()
    campaign = world.given(tenant, before)
    verb, *words = VERBS[after]
    if after in DOCUMENTED[before]:
        world.do(verb, tenant, campaign, *words, NOW)
        assert world.status("campaigns", campaign) == after
        told = world.rows(
            "select topic, payload ->> 'from' as source from integration.outbox"
            " where tenant_id = %s", tenant,
        )  # fmt: skip
        named = {"running": "resumed" if before == "paused" else "started"}.get(after, after)
        assert told == [{"topic": f"campaign.{named}", "source": before}]
        return
    expected = (
        f"campaign {campaign} is {before} already" if before == after
        else f"campaigns.campaigns {campaign} cannot go from {before} to {after}"
    )  # fmt: skip
    with pytest.raises(psycopg.errors.CheckViolation, match=expected):
        world.do(verb, tenant, campaign, *words, NOW)
    assert world.status("campaigns", campaign) == before
    assert world.value("select count(*) from integration.outbox where tenant_id = %s", tenant) == 0


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_no_verb_takes_a_campaign_that_does_not_exist(world: Outreach, verb: str) -> None:
    tenant = world.tenant()
    others = world.given(world.tenant(), "draft")
    function, *words = VERBS[verb]
    with pytest.raises(psycopg.errors.NoDataFound, match="does not exist"):
        world.do(function, tenant, others, *words, NOW)


@pytest.mark.parametrize(("before", "after"), list(itertools.permutations(LEADS, 2)))
def test_a_lead_only_moves_forward_and_out(world: Outreach, before: str, after: str) -> None:
    forward = before not in LEADS[4:] and LEADS.index(after) > LEADS.index(before)
    lead = world.value(
        "insert into campaigns.leads (tenant_id, email, status) values (%s, 'a@one.example', %s)"
        " returning id", world.tenant(), before,
    )  # fmt: skip
    statement = "update campaigns.leads set status = %s where id = %s"
    if forward:
        world.run(statement, after, lead)
        return
    with pytest.raises(psycopg.errors.CheckViolation, match=f"from {before} to {after}"):
        world.run(statement, after, lead)


@pytest.mark.parametrize(("before", "after"), list(itertools.permutations(
    ("active", "completed", "stopped"), 2)))  # fmt: skip
def test_an_enrollment_goes_only_where_it_may(world: Outreach, before: str, after: str) -> None:
    running = world.running()
    statement = (
        "update campaigns.enrollments set status = %s, due_at = %s, stop_reason = %s"
        " where tenant_id = %s"
    )
    columns = {
        "active": (NOW, None), "completed": (None, None), "stopped": (None, "cancelled")
    }  # fmt: skip
    if before != "active":
        world.run(statement, before, *columns[before], running.tenant)
    if (before, after) in {
        ("active", "completed"), ("active", "stopped"), ("completed", "active")
    }:  # fmt: skip
        world.run(statement, after, *columns[after], running.tenant)
        return
    with pytest.raises(psycopg.errors.CheckViolation, match=f"from {before} to {after}"):
        world.run(statement, after, *columns[after], running.tenant)


@pytest.mark.parametrize("start_at", [NOW, NOW - timedelta(days=1), None])
def test_a_campaign_is_scheduled_for_the_future_only(world: Outreach, start_at: object) -> None:
    tenant = world.tenant()
    campaign = world.given(tenant, "draft")
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="not in the future"):
        world.do("schedule_campaign", tenant, campaign, start_at, NOW)


def test_a_start_needs_steps_content_and_questions(world: Outreach) -> None:
    tenant = world.tenant()
    campaign, _ = world.do("create_campaign", tenant, "Hello", "UTC", None, NOW)

    def refused(why: str) -> None:
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match=why):
            world.do("start_campaign", tenant, campaign, NOW)

    refused("has no steps")
    first = world.do("add_step", tenant, campaign, "action")
    refused("step 1 of campaign .* has no content")
    template = world.template(tenant)
    world.run("update campaigns.steps set template_id = %s where id = %s", template, first)
    world.do("set_template_status", tenant, template, "archived", NOW)
    refused("step 1 of campaign .* has no content")
    world.do("set_template_status", tenant, template, "active", NOW)
    asks = world.do("add_step", tenant, campaign, "condition", "1 day", first)
    refused("step 2 of campaign .* asks nothing")
    world.do("add_condition", tenant, asks, "opened")
    world.do("start_campaign", tenant, campaign, NOW)
    assert world.status("campaigns", campaign) == "running"


def test_an_end_stops_who_is_on_the_way_and_frees_the_place(world: Outreach) -> None:
    tenant = world.tenant("free")  # has room for two campaigns
    for _ in range(3):
        campaign, refusal = world.do("create_campaign", tenant, "Hello", "UTC", None, NOW)
        assert refusal is None
        step = world.do(
            "add_step", tenant, campaign, "action", "0", None, "next", world.template(tenant)
        )
        assert step
        (lead,) = world.leads(tenant)
        world.do("start_campaign", tenant, campaign, NOW)
        world.do("enroll_leads", tenant, campaign, [lead], NOW)
        world.do("finish_campaign", tenant, campaign, NOW)
        (row,) = world.rows("select * from campaigns.enrollments where lead_id = %s", lead)
        assert (row["status"], row["stop_reason"], row["due_at"]) == ("stopped", "finished", None)
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="has ended"):
            world.do("enroll_leads", tenant, campaign, [lead], NOW)
    drafts = [world.do("create_campaign", tenant, "Hello", "UTC", None, NOW) for _ in range(3)]
    assert [refusal for _, refusal in drafts] == [None, None, "limit_reached"]


def test_scheduled_campaigns_start_in_time_or_say_why_not(world: Outreach) -> None:
    tenant, suspended = world.tenant(), world.tenant()
    ready, _ = world.campaign(tenant)
    later, _ = world.campaign(tenant)
    empty, _ = world.do("create_campaign", tenant, "Hello", "UTC", None, NOW)
    others, _ = world.campaign(suspended)
    for n, campaign in enumerate((ready, empty)):
        world.do("schedule_campaign", tenant, campaign, NOW + timedelta(hours=1 + n), NOW)
    world.do("schedule_campaign", tenant, later, NOW + timedelta(hours=5), NOW)
    world.do("schedule_campaign", suspended, others, NOW + timedelta(hours=1), NOW)
    world.run("update public.tenants set status = 'suspended' where id = %s", suspended)
    assert world.do("start_scheduled_campaigns", 100, NOW + timedelta(hours=3)) == 1
    found = {c: world.status("campaigns", c) for c in (ready, later, empty, others)}
    assert list(found.values()) == ["running", "scheduled", "draft", "scheduled"]
    reason = world.value("select pause_reason from campaigns.campaigns where id = %s", empty)
    assert reason.endswith("has no steps")
    world.do("unschedule_campaign", tenant, later, NOW)
    assert world.do("start_scheduled_campaigns", 100, NOW + timedelta(hours=9)) == 0


def test_an_early_start_does_not_wait_for_the_schedule(world: Outreach) -> None:
    tenant = world.mailer()
    campaign, _ = world.campaign(tenant)
    leads = world.leads(tenant, 2)
    world.do("schedule_campaign", tenant, campaign, NOW + timedelta(days=9), NOW)
    world.do("enroll_leads", tenant, campaign, leads, NOW)
    assert world.run_due(NOW) == ["campaign_not_running"] * 2
    assert world.run_due(NOW + timedelta(days=1)) == []  # parked, not polled
    world.do("start_campaign", tenant, campaign, NOW + timedelta(days=1))
    assert world.run_due(NOW + timedelta(days=1)) == ["sent"] * 2
