"""What a send uses up, why one is refused, and what comes of a refusal."""

import uuid
from datetime import timedelta
from typing import Any

import pytest

from oltp_lab_tests.campaigns.world import ACTION, Outreach, Running
from oltp_lab_tests.infrastructure.world import NOW

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
CONSUMED = """
select (select sum(sent_in_period) from infrastructure.email_accounts where tenant_id = %(t)s),
       (select sum(sent) from infrastructure.daily_sends where tenant_id = %(t)s),
       (select sum(sent) from campaigns.daily_sends where tenant_id = %(t)s),
       (select sum(used) from billing.usage_counters
        where tenant_id = %(t)s and feature_key = 'emails_per_month'),
       (select count(*) from campaigns.events where tenant_id = %(t)s),
       (select sum(total) from campaigns.counters where tenant_id = %(t)s)
"""


def no_account(running: Running) -> None:
    running.world.run(
        "update infrastructure.email_accounts set status = 'paused' where tenant_id = %s",
        running.tenant,
    )


def daily_limit(running: Running) -> None:
    running.world.run(
        "update infrastructure.email_accounts set daily_cap = 1, allowance = 1"
        " where tenant_id = %s",
        running.tenant,
    )


def minimum_gap(running: Running) -> None:
    running.world.run(
        "update infrastructure.email_accounts set minimum_gap = '30 days' where tenant_id = %s",
        running.tenant,
    )


def campaign_cap(running: Running) -> None:
    running.world.run(
        "update campaigns.campaigns set daily_cap = 1 where id = %s", running.campaign
    )
    running.world.run(
        "insert into campaigns.daily_sends (tenant_id, campaign_id, day, sent)"
        " select %s, %s, %s::date + n, 1 from generate_series(0, 9) as n",
        running.tenant, running.campaign, NOW,
    )  # fmt: skip


def limit_reached(running: Running) -> None:
    running.world.run(
        "select billing.set_override(%s, 'emails_per_month', 1, 'test', at => %s)",
        running.tenant, NOW,
    )  # fmt: skip


def policy(running: Running) -> None:
    running.world.run(
        "select configuration.impose_policy(%s, 'emails_per_day', 1, at => %s)", running.tenant, NOW
    )
    running.world.run(
        "insert into infrastructure.daily_sends (tenant_id, email_account_id, day, sent)"
        " select tenant_id, id, %s::date + n, 1 from infrastructure.email_accounts,"
        " generate_series(1, 9) as n where tenant_id = %s",
        NOW, running.tenant,
    )  # fmt: skip


REFUSALS = [
    (no_account, "no_account", HOUR),
    (daily_limit, "daily_limit", HOUR),
    (minimum_gap, "minimum_gap", MINUTE),
    (campaign_cap, "campaign_cap", HOUR),
    (limit_reached, "limit_reached", HOUR),
    (policy, "daily_limit", HOUR),
]


@pytest.fixture
def running(world: Outreach) -> Running:
    """Two leads; the first has had its mail."""
    campaign = world.running(ACTION, ("wait", DAY), leads=2)
    assert campaign.execute(NOW) == "sent"
    return campaign


def consumed(running: Running) -> Any:
    return running.world.platform.execute(CONSUMED, {"t": running.tenant}).fetchone()


@pytest.mark.parametrize(
    ("cause", "reason", "pause"), REFUSALS, ids=lambda v: getattr(v, "__name__", "")
)
def test_a_refusal_takes_nothing_is_tried_again_and_ends(
    running: Running, cause: Any, reason: str, pause: timedelta
) -> None:
    cause(running)
    before = consumed(running)
    assert before is not None and before[0] == 1
    at = NOW
    for _ in range(3):
        assert running.execute(at, 1) == reason
        assert consumed(running) == before
        held = running.enrollment(1)
        assert (held["due_at"], held["deferred_for"]) == (at + pause, reason)
        assert held["deferred_since"] == NOW
        assert running.execute(at, 1) == "not_due"
        at = held["due_at"]
    last = NOW + 3 * DAY - timedelta(seconds=1)
    assert running.execute(last, 1) == reason
    assert consumed(running) == before
    assert running.execute(last + pause, 1) == reason
    assert consumed(running) == before
    skipped = running.executions()[-1]
    assert (skipped["status"], skipped["skip_reason"]) == ("skipped", reason)
    assert (skipped["template_version_id"], skipped["email_account_id"]) == (None, None)
    assert skipped["due_at"] == NOW
    moved = running.enrollment(1)
    assert (moved["step_id"], moved["deferred_for"]) == (running.steps[1], None)
    running.world.balanced(running.campaign)


def test_what_is_refused_goes_out_when_there_is_room(running: Running) -> None:
    no_account(running)
    assert running.execute(NOW, 1) == "no_account"
    running.world.run(
        "update infrastructure.email_accounts set status = 'active' where tenant_id = %s",
        running.tenant,
    )
    assert running.world.run_due(NOW + HOUR) == ["sent"]
    assert running.enrollment(1)["deferred_since"] is None


def test_nights_do_not_prolong_the_three_days(world: Outreach) -> None:
    tenant = world.mailer(status="paused")
    campaign, steps = world.campaign(tenant, window=True)  # Monday to Friday, 8 to 18
    leads = world.leads(tenant)
    world.do("start_campaign", tenant, campaign, NOW)
    world.do("enroll_leads", tenant, campaign, leads, NOW)
    running = Running(world, tenant, campaign, steps, leads)
    outcomes, at = [], NOW  # a Monday
    while (held := running.enrollment())["status"] == "active":
        at = held["due_at"]
        assert at < NOW + 4 * DAY
        outcomes.append(running.execute(at))
    assert set(outcomes) == {"no_account", "outside_window"}
    assert at == NOW + 3 * DAY
    assert running.executions()[-1]["skip_reason"] == "no_account"


def test_who_is_late_is_not_skipped_at_once(world: Outreach) -> None:
    """The workers stood still for a week: nothing was refused in that time."""
    running = world.running()
    no_account(running)
    assert running.execute(NOW + 7 * DAY) == "no_account"
    assert running.enrollment()["status"] == "active"
    assert running.execute(NOW + 10 * DAY - HOUR) == "no_account"
    assert running.enrollment()["status"] == "active"


@pytest.mark.parametrize("how", ["suppressed", "unsubscribed", "bounced", "complained"])
def test_nobody_is_written_to_against_their_will(world: Outreach, how: str) -> None:
    running = world.running(ACTION, ACTION)
    # By hand: every operation would have taken the lead out of the campaign.
    if how == "suppressed":
        world.run(
            "insert into campaigns.suppressions (tenant_id, email_norm, reason)"
            " select tenant_id, email_norm, 'manual' from campaigns.leads where tenant_id = %s",
            running.tenant,
        )
    else:
        world.run(
            "update campaigns.leads set status = %s where tenant_id = %s", how, running.tenant
        )
    before = consumed(running)
    assert running.execute(NOW) == "suppressed"
    assert consumed(running) == before
    (row,) = running.executions()
    assert (row["status"], row["skip_reason"]) == ("skipped", "suppressed")
    assert running.enrollment()["stop_reason"] == "suppressed"
    assert running.execute(NOW) == "not_active"


def test_an_expired_suppression_suppresses_nothing(world: Outreach) -> None:
    running = world.running()
    world.run(
        "insert into campaigns.suppressions (tenant_id, email_norm, reason, expires_at)"
        " select tenant_id, email_norm, 'manual', %s from campaigns.leads where tenant_id = %s",
        NOW, running.tenant,
    )  # fmt: skip
    assert running.execute(NOW) == "sent"
    assert world.do("expire_suppressions", 10, NOW) == 1


def test_a_step_without_content_is_skipped(world: Outreach) -> None:
    running = world.running(ACTION, ("wait", DAY))
    world.run("update campaigns.templates set status = 'archived' where tenant_id = %s",
              running.tenant)  # fmt: skip
    assert running.execute(NOW) == "no_content"
    assert running.enrollment()["step_id"] == running.steps[1]
    assert running.executions()[0]["skip_reason"] == "no_content"


def test_nothing_goes_out_before_the_window_opens(world: Outreach) -> None:
    tenant = world.mailer()
    campaign, steps = world.campaign(tenant, window=True)
    leads = world.leads(tenant)
    world.do("start_campaign", tenant, campaign, NOW)
    evening = NOW + 9 * HOUR
    world.do("enroll_leads", tenant, campaign, leads, evening)
    assert world.run_due(evening) == ["outside_window"]
    assert world.run_due(NOW + 22 * HOUR - MINUTE) == []
    assert world.run_due(NOW + 22 * HOUR) == ["sent"]
    assert (
        Running(world, tenant, campaign, steps, leads).executions()[0]["due_at"] == NOW + 22 * HOUR
    )


def test_a_late_worker_does_not_send_the_next_mail_early(world: Outreach) -> None:
    """Its lease ran out, and another has done the step that it claimed."""
    running = world.running(ACTION, ("action", 7 * DAY))
    ((_, late, _, _),) = world.all("claim_due_steps", 10, 10, NOW, 5 * MINUTE)
    assert world.run_due(NOW + 4 * MINUTE) == []
    assert world.run_due(NOW + 5 * MINUTE) == ["sent"]
    assert world.do("execute_step", running.tenant, late, NOW + 6 * MINUTE) == "not_due"
    assert len(running.executions()) == 1


def test_a_lease_leaves_when_a_step_is_due_alone(world: Outreach) -> None:
    running = world.running()
    world.all("claim_due_steps", 10, 10, NOW + MINUTE, 5 * MINUTE)
    held = running.enrollment()
    assert (held["due_at"], held["claimed_until"]) == (NOW, NOW + 6 * MINUTE)
    no_account(running)
    assert running.execute(NOW + MINUTE) == "no_account"
    assert running.enrollment()["claimed_until"] is None


@pytest.mark.parametrize(
    ("kind", "sends", "harmful", "reason"),
    [
        ("bounced", 50, 4, "bounces"),  # 8 %
        ("bounced", 51, 5, "bounces"),
        ("complained", 50, 1, "complaints"),
        ("complained", 67, 2, "complaints"),
        ("complained", 200, 3, "complaints"),  # 1.5 %
        ("bounced", 49, None, None),
        ("complained", 49, None, None),
    ],
)
def test_a_harmful_campaign_pauses_itself(
    world: Outreach, kind: str, sends: int, harmful: int | None, reason: str | None
) -> None:
    running = world.running(leads=sends)
    world.run(
        "insert into users.users (id, email) values (%s, %s)",
        owner := uuid.uuid4(),
        f"{owner}@one.example",
    )
    world.run(
        "insert into users.tenant_users (tenant_id, user_id, roles, email)"
        " values (%s, %s, '{owner}', 'o@one.example')",
        running.tenant, owner,
    )  # fmt: skip
    assert world.run_due(NOW) == ["sent"] * min(sends, 20)  # one tenant's share
    while world.run_due(NOW):
        pass
    for n in range(harmful or 10):
        assert world.status("campaigns", running.campaign) == "running"
        running.event(kind, NOW + HOUR, lead=n)
    if reason is None:
        assert world.status("campaigns", running.campaign) == "running"
        return
    (row,) = world.rows(
        "select status, pause_reason from campaigns.campaigns where id = %s", running.campaign
    )
    assert (row["status"], row["pause_reason"]) == ("paused", reason)
    told = world.value(
        "select count(*) from integration.outbox where tenant_id = %s"
        " and topic = 'campaign.auto_paused'",
        running.tenant,
    )
    assert told == 1
    running.event(kind, NOW + HOUR, lead=20)  # of a campaign that is paused already
    world.balanced(running.campaign)


def test_nothing_is_sent_for_who_was_suspended_since_the_claim(running: Running) -> None:
    world, before = running.world, running.executions()
    assert world.all("claim_due_steps", 100, 100, NOW)
    world.run("update public.tenants set status = 'suspended' where id = %s", running.tenant)
    assert running.execute(NOW, lead=1) == "not_active"
    assert running.executions() == before
    world.run("update public.tenants set status = 'active' where id = %s", running.tenant)
    assert running.execute(NOW + DAY, lead=1) == "sent"
