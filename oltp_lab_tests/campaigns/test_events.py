"""What happened to mails, and what follows from it for leads and their addresses."""

from datetime import timedelta

import psycopg
import pytest

from oltp_lab_tests.campaigns.world import ACTION, Outreach, Running
from oltp_lab_tests.infrastructure.world import NOW

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def sent(world: Outreach) -> Running:
    """A mail is out, the next is due a day later."""
    running = world.running(ACTION, ("action", DAY))
    assert world.run_due(NOW) == ["sent"]
    return running


@pytest.mark.parametrize(
    ("kind", "lead", "enrollment", "suppressed"),
    [
        ("delivered", "contacted", "active", False),
        ("opened", "engaged", "active", False),
        ("clicked", "engaged", "active", False),
        ("replied", "replied", "stopped", False),
        ("unsubscribed", "unsubscribed", "stopped", True),
        ("bounced", "bounced", "stopped", True),
        ("complained", "complained", "stopped", True),
    ],
)
def test_what_follows_from_an_event(
    sent: Running, kind: str, lead: str, enrollment: str, suppressed: bool
) -> None:
    world = sent.world
    assert sent.event(kind, NOW + HOUR)
    found = sent.enrollment()
    assert world.status("leads", sent.leads[0]) == lead
    assert (found["status"], found["stop_reason"]) == (
        enrollment, kind if enrollment == "stopped" else None
    )  # fmt: skip
    address = world.value("select email_norm from campaigns.leads where id = %s", sent.leads[0])
    assert world.do("is_suppressed", sent.tenant, address, NOW + HOUR) == suppressed
    assert world.run_due(NOW + DAY) == ([] if enrollment == "stopped" else ["sent"])
    world.balanced(sent.campaign)


def test_a_machine_says_nothing_of_a_lead(sent: Running) -> None:
    sent.event("replied", NOW + HOUR, automatic=True)
    assert sent.world.status("leads", sent.leads[0]) == "contacted"
    assert sent.enrollment()["status"] == "active"
    sent.world.balanced(sent.campaign)


@pytest.mark.parametrize(("step", "at"), [(1, NOW + HOUR), (0, NOW - HOUR)])
def test_no_event_without_its_mail(sent: Running, step: int, at: object) -> None:
    with pytest.raises(psycopg.errors.ForeignKeyViolation, match="was not sent"):
        sent.event("opened", at, step=step)  # type: ignore[arg-type]
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="sent by execute_step"):
        sent.event("sent", NOW)


def test_unsubscribing_ends_every_campaign(world: Outreach) -> None:
    first = world.running(ACTION, ("action", DAY))
    other, _ = world.campaign(first.tenant)
    world.do("start_campaign", first.tenant, other, NOW)
    world.do("enroll_leads", first.tenant, other, first.leads, NOW + DAY)
    world.run_due(NOW)
    world.do(
        "unsubscribe", first.tenant, first.campaign, first.leads[0], first.steps[0], NOW + HOUR
    )
    assert world.run_due(NOW + 2 * DAY) == []
    assert world.do("enroll_leads", first.tenant, other, first.leads, NOW + DAY) == 0
    assert not world.do("lift_suppression", first.tenant, "nobody@one.example")


SUPPRESSIONS = [
    # what holds, what comes: what holds then, and whether a person may lift it
    (("manual", None), ("unsubscribed", None), ("unsubscribed", None), False),
    (("unsubscribed", None), ("manual", None), ("unsubscribed", None), False),
    (("manual", None), ("manual", 1), ("manual", None), True),
    (("manual", 1), ("manual", None), ("manual", None), True),
    (("bounced", 30), ("manual", 1), ("bounced", 30), False),
    (("manual", 1), ("bounced", 30), ("bounced", 30), False),
    (("bounced", -1), ("manual", 1), ("manual", 1), True),  # that one has ended
]


@pytest.mark.parametrize(("held", "comes", "expected", "lifted"), SUPPRESSIONS)
def test_a_suppression_is_never_weakened(
    world: Outreach, held: tuple[str, int | None], comes: tuple[str, int | None],
    expected: tuple[str, int | None], lifted: bool,
) -> None:  # fmt: skip
    tenant = world.tenant()

    def until(days: int | None) -> object:
        return None if days is None else NOW + days * DAY

    world.do("suppress", tenant, "A@one.example", held[0], until(held[1]), NOW - 2 * DAY)
    world.do("suppress", tenant, "a@one.example", comes[0], until(comes[1]), NOW)
    (row,) = world.rows("select * from campaigns.suppressions where tenant_id = %s", tenant)
    assert (row["reason"], row["expires_at"]) == (expected[0], until(expected[1]))
    assert world.do("lift_suppression", tenant, "A@One.example") == lifted
    assert world.do("is_suppressed", tenant, "a@one.example", NOW) != lifted


def test_erasing_a_lead_leaves_the_counters_and_the_suppression(sent: Running) -> None:
    world, (lead,) = sent.world, sent.leads
    sent.event("unsubscribed", NOW + HOUR)
    used = "select used from billing.usage_counters where tenant_id = %s and feature_key = 'leads'"
    assert world.value(used, sent.tenant) == 1
    assert world.do("erase_lead", sent.tenant, lead, NOW + HOUR) is True
    assert world.value(used, sent.tenant) == 0
    for table in ("leads", "enrollments", "events", "step_executions"):
        found = world.rows(f"select from campaigns.{table} where tenant_id = %s", sent.tenant)  # type: ignore[arg-type]
        assert found == [], table
    assert dict(world.all("totals", sent.tenant, sent.campaign)) == {"sent": 1, "unsubscribed": 1}
    live = "select kind, total, forgotten from campaigns.live_metrics where tenant_id = %s"
    told = {row["kind"]: (row["total"], row["forgotten"]) for row in world.rows(live, sent.tenant)}
    assert told == {"sent": (1, 1), "unsubscribed": (1, 1)}
    assert world.value(
        "select count(*) from campaigns.suppressions where tenant_id = %s", sent.tenant
    )
    assert world.do("erase_lead", sent.tenant, lead, NOW + HOUR) is False
    assert world.value(used, sent.tenant) == 0
