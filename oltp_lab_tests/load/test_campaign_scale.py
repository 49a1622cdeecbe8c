"""Campaigns under way: scripts run, invariants hold, and each of them finds what it is for."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from oltp_lab import sql
from oltp_lab.load import execution
from oltp_lab.load.steps import Steps
from oltp_lab.load.workload import Arm, Workload
from oltp_lab.measuring import scratch
from oltp_lab.measuring.loads import measure
from oltp_lab.measuring.store import Measurements, Run
from oltp_lab.sample_data import rules
from oltp_lab.servers import Database

SMOKE = Workload.read("campaign_scale", "smoke")
WORKLOAD = replace(
    SMOKE,
    arms={"burst_14": Arm(14)},
    sizes={**SMOKE.sizes, "burst_after": 2},
    seconds=1.0,
    warmup=0.2,
)
INVARIANTS = list(sql.queries(f"{WORKLOAD.folder}/invariants.sql"))
FILES = {"setup", "before", "figures", "invariants", "teardown"}

# A step that was sent, and who got it.
SENT = """
    create temp table sent on commit drop as
    select x.*, e.campaign_id, e.lead_id, d.turn, d.place, d.began, d.ended
    from campaigns.step_executions x
    join campaigns.enrollments e on e.tenant_id = x.tenant_id and e.id = x.enrollment_id
    join scratch_load.claims c
        on c.tenant_id = x.tenant_id and c.enrollment_id = e.id and c.step_id = x.step_id
    join scratch_load.executions d
        on d.turn = c.turn and d.place = c.place and d.began = x.executed_at
    where x.status = 'sent'
    order by x.executed_at desc limit 1
"""
# What breaks each of the invariants.
VIOLATIONS = {
    "executed_once": """
        alter table campaigns.step_executions drop constraint step_executions_once_key;
        insert into campaigns.step_executions
            (tenant_id, enrollment_id, step_id, rotation, status, due_at)
        select tenant_id, enrollment_id, step_id, rotation, 'passed', due_at from sent""",
    "sent_once": """
        insert into campaigns.events (tenant_id, campaign_id, lead_id, step_id, kind)
        select tenant_id, campaign_id, lead_id, step_id, 'sent' from sent""",
    "claimed_by_one": """
        insert into scratch_load.claims
        select nextval('scratch_load.turns'), 1, c.tenant_id, c.enrollment_id, c.step_id, c.due_at,
               c.claimed_at + interval '4 minutes'
        from scratch_load.claims c join sent using (turn, place)""",
    "executed_as_claimed": """
        delete from scratch_load.claims c using sent s
        where c.turn = s.turn and c.place = s.place""",
    "sent_to_the_gone": """
        insert into scratch_load.witnessed
        select 'gone', lead_id, began, began - interval '1 ms' from sent""",
    "executed_while_paused": """
        insert into scratch_load.witnessed
        select 'paused', campaign_id, began - interval '2 ms', began - interval '1 ms' from sent;
        delete from integration.outbox o using sent
        where o.tenant_id = sent.tenant_id
            and o.payload ->> 'campaign_id' = sent.campaign_id::text""",
    "executed_before_due": """
        update scratch_load.claims c set due_at = s.began + interval '1 ms'
        from sent s where c.turn = s.turn and c.place = s.place""",
    "counters_equal_events": """
        update campaigns.counters c set total = total + 1
        from sent
        where c.tenant_id = sent.tenant_id and c.campaign_id = sent.campaign_id
            and c.kind = 'sent' and c.slot = (
                select min(slot) from campaigns.counters
                where tenant_id = c.tenant_id and campaign_id = c.campaign_id and kind = 'sent')""",
    "account_sends_equal_events": """
        update infrastructure.daily_sends d set sent = d.sent + 1
        from sent
        where d.tenant_id = sent.tenant_id and d.email_account_id = sent.email_account_id""",
    "quota_equals_events": """
        update billing.usage_counters u set used = used - 1
        from sent where u.tenant_id = sent.tenant_id and u.feature_key = 'emails_per_month'""",
    "quota_kept": """
        alter table billing.usage_counters drop constraint usage_counters_used_check;
        update billing.usage_counters u set used = maximum + 1
        from sent where u.tenant_id = sent.tenant_id and u.feature_key = 'emails_per_month'""",
    "daily_cap_kept": """
        update campaigns.campaigns c set daily_cap = 1
        from sent where c.tenant_id = sent.tenant_id and c.id = sent.campaign_id;
        insert into campaigns.events (tenant_id, campaign_id, lead_id, step_id, kind, occurred_at)
        select tenant_id, campaign_id, lead_id, step_id, 'sent', executed_at from sent""",
    "account_cap_kept": """
        insert into campaigns.step_executions
            (tenant_id, enrollment_id, step_id, rotation, status, due_at, executed_at,
             email_account_id)
        select tenant_id, enrollment_id, step_id, 1 + n, 'sent', due_at, executed_at,
               email_account_id
        from sent, generate_series(1, 2) as n;
        update infrastructure.email_accounts a set daily_cap = 1
        from sent where a.tenant_id = sent.tenant_id and a.id = sent.email_account_id""",
    "gap_kept": """
        update infrastructure.email_accounts a set minimum_gap = interval '10 ms'
        from sent where a.tenant_id = sent.tenant_id and a.id = sent.email_account_id;
        insert into campaigns.step_executions
            (tenant_id, enrollment_id, step_id, rotation, status, due_at, executed_at,
             email_account_id)
        select tenant_id, enrollment_id, step_id, 2, 'sent', due_at,
               executed_at + interval '9 ms', email_account_id
        from sent""",
    "gone_are_stopped": """
        update campaigns.leads l set status = 'unsubscribed'
        from campaigns.enrollments e
        where e.tenant_id = l.tenant_id and e.lead_id = l.id and e.status = 'active'
            and e.id in (select enrollment_id from scratch_load.people)
            and l.status in ('new', 'contacted', 'engaged')""",
    "on_the_way": """
        update campaigns.enrollments e set step_id = x.step_id
        from campaigns.step_executions x
        where x.tenant_id = e.tenant_id and x.enrollment_id = e.id and e.status = 'active'
            and e.id in (select enrollment_id from scratch_load.people)""",
    "branched_as_conditions_hold": """
        update campaigns.step_executions x set branch = 'yes' from scratch_load.steps s
        where s.position = 2 and s.step_id = x.step_id and x.branch = 'no'""",
}

# Guards of the operations, and what is left without them.
UNGUARDED = {
    "campaigns.execute_step(uuid,uuid,timestamptz)": ("job.campaign_status <> 'running'", "false"),
    "campaigns.is_suppressed(uuid,text,timestamptz)": (
        "s.email_norm = is_suppressed.address",
        "s.email_norm = is_suppressed.address and false",
    ),
    "campaigns.claim_due_steps(integer,integer,timestamptz,interval)": (
        "mine.claimed_until <= at",
        "true",
    ),
    "campaigns.count(uuid,uuid,text)": ("count.event_kind, 1)", "count.event_kind, 2)"),
    "campaigns.take_daily_cap(uuid,uuid,integer,timestamptz)": ("where d.sent < cap", ""),
}


@contextmanager
def loaded(
    database: Database, store: Measurements, run: Run
) -> Iterator[tuple[Steps, dict[str, Any]]]:
    """The slice after an arm, and the arm's row of load_runs with its operations."""
    with made(database, run) as (steps, variables):
        outcome = measure(database, WORKLOAD.load("burst_14", variables), store, run)
        assert outcome.failure is None
        yield steps, {row["operation"]: row for row in outcome.operations}


@contextmanager
def made(database: Database, run: Run) -> Iterator[tuple[Steps, dict[str, int | float]]]:
    """The slice, and the variables of the scripts."""
    steps = Steps(database, WORKLOAD.folder, {"run_id": run.run_id, **WORKLOAD.sizes})
    with scratch.made(database, tenants=1, targets=1) as maker:
        steps.set_up()
        yield steps, {**WORKLOAD.sizes, **scratch.define_lookups(maker)}


def broken(steps: Steps) -> dict[str, Any]:
    """Violations by invariant, of those that have any or could not be asked."""
    return {row["invariant"]: row["first"] for row in steps.invariants() if row["violations"] != 0}


def test_every_script_is_an_operation_and_every_invariant_has_its_control() -> None:
    scripts = {Path(file).stem for file in sql.files(WORKLOAD.folder)}
    assert scripts == FILES | set(WORKLOAD.operations)
    assert set(VIOLATIONS) == set(INVARIANTS)
    challenge = Workload.read("campaign_scale", "challenge").sizes
    assert [challenge[size] for size in ("senders", "campaigns", "leads")] == [500, 5000, 100_000]


def test_a_run_holds_what_it_promises_and_leaves_the_sample_data_as_it_was(
    seeded: Database, store: Measurements, run: Run
) -> None:
    with made(seeded, run):
        pass  # killed here, it leaves its slice behind
    (outcome,) = execution.execute(seeded, WORKLOAD, store, run)
    assert outcome.failure is None
    for row in outcome.operations:
        assert row["failures"] == 0
        assert row["calls"] > 0 or row["operation"] in ("record_bounce", "campaign_create")
    judged = store.read("select invariant, violations from load_invariants")
    assert dict(zip(judged["invariant"], judged["violations"], strict=True)) == dict.fromkeys(
        INVARIANTS, 0
    )
    figures = store.read("select query || ' ' || figure as name, rise from load_figures")
    rise = dict(zip(figures["name"], figures["rise"], strict=True))
    assert rise["steps sent"] > 0
    assert rise["steps passed"] > 0
    assert rise["worker_turns turns"] > 0
    assert rise["step_lag p95_ms"] >= rise["step_lag p50_ms"] > 0
    assert rise["wal bytes"] > 0
    for name in ("updates", "hot_updates", "dead_rows", "table_bytes", "index_bytes"):
        assert f"storage campaigns.enrollments {name}" in rise
    with seeded.connect("lab_platform") as platform:
        left = platform.execute(
            "select count(*) from public.tenants where name like 'load:%'"
        ).fetchone()
        rules.prepare(platform)
        offending = {rule.name: rules.judge(platform, rule).offending for rule in rules.rules()}
    assert left == (0,)
    assert not any(offending.values()), offending


def test_each_invariant_finds_what_it_is_for(
    seeded: Database, store: Measurements, run: Run
) -> None:
    with loaded(seeded, store, run) as (steps, operations):
        assert operations["worker"]["calls"] > 0
        assert broken(steps) == {}
        for name in INVARIANTS:
            assert planted(seeded, name), name


def planted(database: Database, invariant: str) -> list[Any]:
    """What the invariant says of its violation, which is then undone."""
    with database.connect() as session:
        session.execute(SENT.encode())
        session.execute(VIOLATIONS[invariant].encode())
        session.execute("set local role lab_platform")
        found = session.execute(
            sql.queries(f"{WORKLOAD.folder}/invariants.sql")[invariant]
        ).fetchall()
        session.rollback()
    return found


def test_operations_without_their_guards_break_the_invariants(
    seeded: Database, store: Measurements, run: Run
) -> None:
    for function, (guard, gone) in UNGUARDED.items():
        without(seeded, function, guard, gone)
    with loaded(seeded, store, run) as (steps, _):
        assert {
            "executed_while_paused",
            "sent_to_the_gone",
            "claimed_by_one",
            "counters_equal_events",
            "daily_cap_kept",
        } <= set(broken(steps))


def without(database: Database, function: str, guard: str, gone: str) -> None:
    with database.connect() as administrator:
        (text,) = administrator.execute(
            "select pg_get_functiondef(%s::regprocedure)", [function]
        ).fetchone() or ("",)
        assert guard in text
        administrator.execute(text.replace(guard, gone).encode())


def test_a_tenant_that_sees_others_aborts_every_script_of_the_application(
    seeded: Database, store: Measurements, run: Run
) -> None:
    with seeded.connect() as administrator:
        for table in ("campaigns", "leads", "enrollments", "events", "step_executions", "steps"):
            administrator.execute(
                f"alter policy tenant on campaigns.{table} using (true) with check (true)".encode()
            )
    own = [name for name, it in WORKLOAD.operations.items() if it.role is None]
    with made(seeded, run) as (_, variables):
        for name in own:
            alone = replace(WORKLOAD, operations={name: WORKLOAD.operations[name]}, seconds=0.2)
            outcome = measure(seeded, alone.load("burst_14", variables), store, run)
            assert (outcome.failure or "").startswith(f"{name}: ERROR:  isolation broken")
