"""What the application may do for its own tenant, and that it does nothing to another's."""

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql as pg
from psycopg.types.json import Jsonb

from oltp_lab import catalog
from oltp_lab_tests.campaigns.world import ACTION, Outreach, Running, do
from oltp_lab_tests.infrastructure.world import NOW

RAISES = (
    psycopg.errors.NoDataFound, psycopg.errors.InsufficientPrivilege,
    psycopg.errors.ForeignKeyViolation, psycopg.errors.ObjectNotInPrerequisiteState,
)  # fmt: skip
SOON = NOW + timedelta(hours=1)
# (operation, its arguments) by names of what is in ``things``; in an order in which all succeed.
CALLS: list[tuple[str, list[Any]]] = [
    ("campaign_progress", ["campaign"]),
    ("totals", ["campaign"]),
    ("is_suppressed", ["'a@one.example", NOW]),
    ("conditions_hold", ["step", "campaign", "lead", NOW]),
    ("record_event", ["campaign", "lead", "step", "'opened", SOON]),
    ("pause_campaign", ["campaign", "'because", SOON]),
    ("add_step", ["campaign", "'condition", "'0", "last"]),
    ("start_campaign", ["draft", SOON]),
    ("finish_campaign", ["draft", SOON]),
    ("schedule_campaign", ["campaign", SOON + timedelta(days=1), SOON]),
    ("unschedule_campaign", ["campaign", SOON]),
    ("enroll_leads", ["campaign", ["lead", "other_lead"], SOON]),
    ("enroll_again", ["campaign", "lead", SOON]),
    ("set_window", ["campaign", "'08:00", "'09:00", [1, 2], 5, SOON]),
    ("create_campaign", ["'Mine", "'UTC", None, SOON]),
    ("save_template", ["template", None, "'Subject", "'templates/9", None, None, SOON]),
    ("move_template", ["template", None, SOON]),
    ("tag_template", ["template", ["'x"]]),
    ("set_template_status", ["unused", "'archived", SOON]),
    ("delete_template", ["unused"]),
    ("import_leads", [Jsonb([{"email": "b@one.example"}]), None, SOON]),
    ("move_lead", ["other_lead", "'opened", SOON]),
    ("stop_enrollments", ["other_lead", "'replied", SOON]),
    ("unsubscribe", ["campaign", "lead", "step", SOON]),
    ("suppress", ["'c@one.example", "'manual", None, SOON]),
    ("lift_suppression", ["'c@one.example"]),
    ("list_campaigns", ["'running", 10]),
    ("list_leads", ["'new", 10]),
    ("erase_lead", ["other_lead", SOON]),
]
NOTHING: tuple[Any, ...] = (None, False, 0, True, (0, 0, None), (None, "no_subscription"))


@pytest.fixture
def things(world: Outreach) -> dict[str, Any]:
    return made(world)


def made(world: Outreach) -> dict[str, Any]:
    running: Running = world.running(ACTION, ("wait", timedelta(days=1)), leads=1)
    draft, _ = world.campaign(running.tenant, ("wait", timedelta(0)))
    assert world.run_due(NOW) == ["sent"]
    template = world.value(
        "select template_id from campaigns.steps where id = %s", running.steps[0]
    )
    return {
        "tenant": running.tenant, "campaign": running.campaign, "draft": draft,
        "step": running.steps[0], "last": running.steps[-1], "lead": running.leads[0],
        "other_lead": world.leads(running.tenant)[0], "template": template,
        "unused": world.template(running.tenant),
    }  # fmt: skip


def given(things: dict[str, Any], argument: Any) -> Any:
    if isinstance(argument, list):
        return [given(things, item) for item in argument]
    if isinstance(argument, str):
        return argument[1:] if argument.startswith("'") else things[argument]
    return argument


def test_the_application_works_for_its_own_tenant(world: Outreach, things: dict[str, Any]) -> None:
    with world.database.connect("lab_app") as app:
        app.execute("select lab.enter_tenant(%s)", [things["tenant"]])
        for function, arguments in CALLS:
            do(app, function, things["tenant"], *given(things, arguments))
    documented = {
        row["proname"]
        for row in world.rows(
            "select p.proname from pg_proc p where pronamespace = 'campaigns'::regnamespace"
            " and obj_description(p.oid) like 'lab_app: %%'"
        )
    }
    # What others call, and what is called with anything at all.
    inner = {
        "count",
        "set_status",
        "end_campaign",
        "cancel_campaign",
        "next_window",
        "add_condition",
    }
    assert {function for function, _ in CALLS} == documented - inner


@pytest.mark.parametrize(("function", "arguments"), CALLS, ids=[name for name, _ in CALLS])
def test_the_application_does_nothing_to_another_tenant(
    world: Outreach, things: dict[str, Any], function: str, arguments: list[Any]
) -> None:
    """Whichever it names: it raises or finds nothing, and no row there changes."""
    own = world.mailer()
    before = content(world, things)
    for context in (own, None):
        with world.database.connect("lab_app") as app:
            app.execute("select lab.enter_tenant(%s)", [context])
            try:
                found = do(app, function, things["tenant"], *given(things, arguments))
            except RAISES:
                found = None
        assert found in NOTHING, f"{function} found {found}"
    assert content(world, things) == before


def content(world: Outreach, things: dict[str, Any]) -> dict[str, Any]:
    """Every row of the tenant in the schema campaigns."""
    found = {}
    with world.database.connect() as administrator:
        for schema, table in catalog.tables():
            if schema == "campaigns":
                query = pg.SQL("select x::text from {} as x where tenant_id = %s order by 1")
                rows = administrator.execute(
                    query.format(pg.Identifier(schema, table)), [things["tenant"]]
                )
                found[table] = rows.fetchall()
    assert found["enrollments"]
    return found


def test_the_control_another_tenant_s_rows_do_change_with_its_context(
    world: Outreach, things: dict[str, Any]
) -> None:
    before = content(world, things)
    with world.database.connect("lab_app") as app:
        app.execute("select lab.enter_tenant(%s)", [things["tenant"]])
        do(app, "pause_campaign", things["tenant"], things["campaign"], "because", NOW)
    assert content(world, things) != before


def test_who_may_call_what_is_what_the_comments_say(world: Outreach) -> None:
    found = world.rows(
        "select p.proname as name, split_part(obj_description(p.oid), ':', 1) as role,"
        " has_function_privilege('lab_app', p.oid, 'execute') as app,"
        " has_function_privilege('lab_platform', p.oid, 'execute') as platform"
        " from pg_proc p where pronamespace = 'campaigns'::regnamespace"
    )
    assert len(found) > 40
    wrong = {r["name"] for r in found if r["app"] != (r["role"] == "lab_app") or not r["platform"]}
    assert wrong == set()


@pytest.mark.parametrize("kind", ["bounced", "complained"])
def test_what_servers_report_only_the_platform_records(
    world: Outreach, things: dict[str, Any], kind: str
) -> None:
    with world.database.connect("lab_app") as app:
        app.execute("select lab.enter_tenant(%s)", [things["tenant"]])
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            do(app, "record_event", things["tenant"], *given(
                things, ["campaign", "lead", "step", "'" + kind, SOON]))  # fmt: skip
    assert world.status("leads", things["lead"]) == "contacted"
