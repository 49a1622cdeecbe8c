"""Leads, templates, steps and who is enrolled: what is made once, numbered, or refused."""

import re
import uuid
from datetime import timedelta
from typing import LiteralString

import psycopg
import pytest
from psycopg.types.json import Jsonb

from oltp_lab_tests.campaigns.world import ACTION, Outreach, do
from oltp_lab_tests.infrastructure.world import NOW

DAY = timedelta(days=1)


def people(*names: str) -> Jsonb:
    return Jsonb([{"email": f"{name}@one.example"} for name in names])


def count(world: Outreach, tenant: uuid.UUID) -> int:
    return world.value("select count(*) from campaigns.leads where tenant_id = %s", tenant)


def test_an_import_is_all_or_nothing_at_the_limit(world: Outreach) -> None:
    tenant = world.tenant("free")  # 500 leads
    assert world.do("import_leads", tenant, people(*map(str, range(498))), None, NOW) == (
        498,
        0,
        None,
    )
    listed = world.value(
        "insert into campaigns.lists (tenant_id, name) values (%s, 'all') returning id", tenant
    )
    known = Jsonb([{"email": "0@one.example", "first_name": "Ada"}, {"email": "x@one.example"},
                   {"email": "y@one.example"}, {"email": "z@one.example"}])  # fmt: skip
    assert world.do("import_leads", tenant, known, listed, NOW) == (0, 0, "limit_reached")
    assert count(world, tenant) == 498
    assert world.rows("select from campaigns.list_leads where tenant_id = %s", tenant) == []
    assert (
        world.value("select max(first_name) from campaigns.leads where tenant_id = %s", tenant)
        is None
    )
    assert world.do("import_leads", tenant, people("x", "Y", "X"), listed, NOW) == (2, 0, None)
    assert count(world, tenant) == 500
    assert world.do("import_leads", tenant, people("x", "y"), None, NOW) == (0, 2, None)
    with pytest.raises(psycopg.errors.NotNullViolation):
        world.do("import_leads", tenant, Jsonb([{"first_name": "Nobody"}]), None, NOW)


def test_of_one_address_given_twice_the_last_holds(world: Outreach) -> None:
    tenant = world.tenant()
    given = [{"email": "A@one.example", "first_name": "Old", "custom_fields": {"a": 1}},
             {"email": "a@one.example", "first_name": "New"}]  # fmt: skip
    assert world.do("import_leads", tenant, Jsonb(given), None, NOW) == (1, 0, None)
    again = [{"email": "a@ONE.example", "custom_fields": {"b": 2}}]
    assert world.do("import_leads", tenant, Jsonb(again), None, NOW) == (0, 1, None)
    (row,) = world.rows("select * from campaigns.leads where tenant_id = %s", tenant)
    assert (row["first_name"], row["custom_fields"]) == ("New", {"b": 2})


def test_racing_imports_stop_at_the_limit(world: Outreach) -> None:
    tenant = world.tenant("free")
    assert world.do("import_leads", tenant, people(*map(str, range(450))), None, NOW)[2] is None

    def load(connection: psycopg.Connection, n: int) -> str | None:
        return do(connection, "import_leads", tenant,
                  people(*(f"{n}-{m}" for m in range(20))), None, NOW)[2]  # fmt: skip

    assert sorted(world.race(4, load), key=str) == [None, None, "limit_reached", "limit_reached"]
    assert count(world, tenant) == 490


def test_enrolling_twice_enrolls_once_and_nobody_who_must_not_be_written_to(
    world: Outreach,
) -> None:
    tenant = world.mailer()
    campaign, _ = world.campaign(tenant)
    leads = world.leads(tenant, 6)
    foreign = world.leads(world.tenant(), 1)
    (row,) = world.rows("select email from campaigns.leads where id = %s", leads[0])
    world.do("suppress", tenant, row["email"].upper(), "manual", None, NOW)
    for lead, status in zip(leads[1:4], ("unsubscribed", "bounced", "complained"), strict=True):
        world.run("update campaigns.leads set status = %s where id = %s", status, lead)
    everybody = [*leads, *leads, *foreign]
    assert world.do("enroll_leads", tenant, campaign, everybody, NOW) == 2
    assert world.do("enroll_leads", tenant, campaign, everybody, NOW) == 0
    found = world.rows("select lead_id from campaigns.enrollments where campaign_id = %s", campaign)
    assert {row["lead_id"] for row in found} == set(leads[4:])


def test_who_is_through_can_go_again(world: Outreach) -> None:
    running = world.running(ACTION, ("action", DAY))
    tenant, campaign, (lead,) = running.tenant, running.campaign, running.leads
    assert world.do("enroll_again", tenant, campaign, lead, NOW) is None  # is not through
    assert [world.run_due(NOW), world.run_due(NOW + DAY)] == [["sent"], ["sent"]]
    assert world.run_due(NOW + 2 * DAY) == []
    assert world.do("enroll_again", tenant, campaign, lead, NOW + 2 * DAY) == 2
    assert world.do("enroll_again", tenant, campaign, lead, NOW + 2 * DAY) is None
    assert [world.run_due(NOW + n * DAY) for n in (2, 3)] == [["sent"], ["sent"]]
    assert [row["rotation"] for row in running.executions()] == [1, 1, 2, 2]
    world.run("update campaigns.leads set status = 'unsubscribed' where id = %s", lead)
    assert world.do("enroll_again", tenant, campaign, lead, NOW + 4 * DAY) is None


def test_versions_are_numbered_without_gaps_by_racing_authors(world: Outreach) -> None:
    tenant = world.tenant()
    template = world.template(tenant)

    def save(connection: psycopg.Connection, n: int) -> None:
        for turn in range(5):
            do(
                connection,
                "save_template",
                tenant,
                template,
                None,
                "Hello",
                f"templates/{n}/{turn}",
            )
            connection.commit()

    world.race(4, save)
    found = world.rows(
        "select version from campaigns.template_versions where template_id = %s order by 1",
        template,
    )
    assert [row["version"] for row in found] == list(range(1, 22))


def test_numbering_without_the_template_s_lock_collides(world: Outreach) -> None:
    """The control of the test before: what the lock is for."""
    tenant = world.tenant()
    template = world.template(tenant)
    insert = """
        insert into campaigns.template_versions
            (tenant_id, template_id, version, subject, storage_key)
        select %s, %s, max(version) + 1, '', '' from campaigns.template_versions
        where template_id = %s"""

    def save(connection: psycopg.Connection, _: int) -> None:
        for _turn in range(25):
            connection.execute(insert, [tenant, template, template])
            connection.commit()

    with pytest.raises(psycopg.errors.UniqueViolation):
        world.race(4, save)


def test_a_template_in_use_is_not_archived(world: Outreach) -> None:
    running = world.running()
    (template,) = [
        row["template_id"]
        for row in world.rows(
            "select template_id from campaigns.steps where id = %s", running.steps[0]
        )
    ]
    with pytest.raises(psycopg.errors.ObjectInUse):
        world.do("set_template_status", running.tenant, template, "archived", NOW)
    world.do("finish_campaign", running.tenant, running.campaign, NOW)
    world.do("set_template_status", running.tenant, template, "archived", NOW)
    with pytest.raises(psycopg.errors.NoDataFound, match="is archived"):
        world.do("save_template", running.tenant, template, None, "Hello", "templates/2")
    with pytest.raises(psycopg.errors.CheckViolation, match="from archived to draft"):
        world.do("set_template_status", running.tenant, template, "draft", NOW)
    world.do("set_template_status", running.tenant, template, "active", NOW)


def test_templates_lie_in_folders_and_have_tags(world: Outreach) -> None:
    tenant = world.tenant()
    template = world.template(tenant)
    folder = world.value(
        "insert into campaigns.template_folders (tenant_id, name) values (%s, 'a') returning id",
        tenant,
    )
    world.do("move_template", tenant, template, folder, NOW)
    assert (
        world.value("select folder_id from campaigns.templates where id = %s", template) == folder
    )
    for tags in (["x", "y"], ["y", "z"], []):
        world.do("tag_template", tenant, template, tags)
        found = world.rows(
            "select tag from campaigns.template_tags where template_id = %s order by 1", template
        )
        assert [row["tag"] for row in found] == tags


def test_steps_hang_together(world: Outreach) -> None:
    tenant = world.tenant("free")  # three steps
    campaign, (first,) = world.campaign(tenant, ("wait", DAY))
    other, (foreign,) = world.campaign(tenant, ("wait", DAY))
    for words, error in (
        (("wait", "0", None, "next"), psycopg.errors.UniqueViolation),  # a second first one
        (("wait", "0", None, "yes"), psycopg.errors.InvalidParameterValue),
        (("wait", "0", first, "yes"), psycopg.errors.InvalidParameterValue),
        (("wait", "0", foreign, "next"), psycopg.errors.ForeignKeyViolation),
        (("nap", "0", first, "next"), psycopg.errors.CheckViolation),
    ):
        with pytest.raises(error):
            world.do("add_step", tenant, campaign, *words)
    asks = world.do("add_step", tenant, campaign, "condition", "0", first)
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        world.do("add_step", tenant, campaign, "wait", "0", asks, "next")
    world.do("add_step", tenant, campaign, "wait", "0", asks, "no")
    with pytest.raises(psycopg.errors.ProgramLimitExceeded, match="room for 3 steps"):
        world.do("add_step", tenant, campaign, "wait", "0", asks, "yes")
    assert other


@pytest.mark.parametrize(
    "zone", ["Middle-earth", "Middle/Earth", "Europe/Berlin5", "Foo5", "CEST", "<+03>-3", "", "/"]
)
def test_a_campaign_needs_a_time_zone_that_exists(world: Outreach, zone: str) -> None:
    """What PostgreSQL takes for a zone beside (abbreviations, POSIX rules) is none."""
    with pytest.raises(
        psycopg.errors.InvalidParameterValue, match=f'time zone "?{re.escape(zone)}'
    ):
        world.do("create_campaign", world.tenant(), "Hello", zone)


def test_every_time_zone_will_do(world: Outreach) -> None:
    tenant = world.tenant("scale")
    zones = [row["name"] for row in world.rows("select name from pg_timezone_names order by name")]
    for zone in [*zones[::20], "UTC", "Etc/GMT+5", "America/Port-au-Prince", "EST5EDT"]:
        assert world.do("create_campaign", tenant, "Hello", zone)[1] is None, zone


def test_the_progress_counts_who_is_where(world: Outreach) -> None:
    running = world.running(("wait", timedelta(0)), ("action", DAY), leads=3)
    running.execute(NOW)
    running.execute(NOW, 1)
    world.run("update infrastructure.email_accounts set status = 'paused'")
    running.execute(NOW + DAY, 1)
    assert world.all("campaign_progress", running.tenant, running.campaign) == [
        (1, "wait", 1, 0, 2, 0), (2, "action", 2, 1, 0, 0)
    ]  # fmt: skip


def test_pages_hold_every_row_once_also_of_one_moment(world: Outreach) -> None:
    tenant = world.mailer()
    drafts = {world.campaign(tenant)[0] for _ in range(7)}
    leads = set(world.leads(tenant, 7))
    pages: list[tuple[set[uuid.UUID], LiteralString]] = [
        (drafts, "select id, created_at from campaigns.list_campaigns(%s, 'draft', 3, %s, %s)"),
        (leads, "select id, created_at from campaigns.list_leads(%s, 'new', 3, %s, %s)"),
    ]
    for keys, query in pages:
        last: tuple[object, object] = ("infinity", uuid.UUID(int=2**128 - 1))
        found = []
        while page := world.rows(query, tenant, *last):
            assert len(page) <= 3
            found += [row["id"] for row in page]
            last = (page[-1]["created_at"], page[-1]["id"])
        assert len(found) == len(keys)
        assert set(found) == keys
