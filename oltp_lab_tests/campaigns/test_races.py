"""What holds when several sessions work at once, and that the tests would notice if it did not."""

import threading
import time
import uuid
from collections import Counter
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from oltp_lab_tests.campaigns.world import ACTION, Outreach, do, operation, replaced
from oltp_lab_tests.infrastructure.world import NOW

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
LEASE = 5 * MINUTE
CLAIM = "campaigns.claim_due_steps(integer,integer,timestamptz,interval)"
# Enrollments of leads that need not be sent to: a wait is all that the campaign does.
CROWD = """
with lead as (
    insert into campaigns.leads (tenant_id, email)
    select %(tenant)s, 'crowd' || n || '@one.example' from generate_series(1, %(leads)s) as n
    returning id)
insert into campaigns.enrollments (tenant_id, campaign_id, lead_id, step_id, due_at)
select %(tenant)s, %(campaign)s, lead.id, %(step)s, %(due)s from lead
"""


def crowd(world: Outreach, leads: int) -> uuid.UUID:
    """A tenant with so many due enrollments."""
    tenant = world.tenant()
    campaign, (step,) = world.campaign(tenant, ("wait", timedelta(0)))
    world.do("start_campaign", tenant, campaign, NOW)
    arguments = {"tenant": tenant, "campaign": campaign, "step": step, "leads": leads, "due": NOW}
    world.platform.execute(CROWD, arguments)
    return tenant


def claim(connection: psycopg.Connection, *arguments: Any) -> list[tuple[uuid.UUID, uuid.UUID]]:
    """(tenant, enrollment) of what was claimed."""
    rows = connection.execute(operation("claim_due_steps", arguments), arguments).fetchall()
    return [row[:2] for row in rows]


def claimed_by_racing(world: Outreach, sessions: int = 4) -> list[tuple[uuid.UUID, uuid.UUID]]:
    """All that racing claimers got within one lease."""

    def work(connection: psycopg.Connection, _: int) -> list[tuple[uuid.UUID, uuid.UUID]]:
        got = []
        for _turn in range(8):
            got += claim(connection, 50, 20, NOW, LEASE)
            connection.commit()
        return got

    return [pair for got in world.race(sessions, work) for pair in got]


def test_no_enrollment_is_claimed_twice_within_its_lease(world: Outreach) -> None:
    tenants = [crowd(world, 130), crowd(world, 60), crowd(world, 5)]
    got = claimed_by_racing(world)
    # More was asked for than there is; a claimer leaves what another has locked.
    while rest := claim(world.platform, 50, 20, NOW, LEASE):
        got += rest
    assert max(Counter(got).values()) == 1
    assert Counter(tenant for tenant, _ in got) == dict(zip(tenants, (130, 60, 5), strict=True))
    assert len(claim(world.platform, 500, 500, NOW + LEASE, LEASE)) == 195


@pytest.mark.parametrize(
    "changes",
    [
        # By key: that a row is where it was is a check as well.
        [("for no key update skip locked", ""), ("ctid", "id")],
        [(r"and \(mine.claimed_until is null or [^)]*\)", "")],
    ],
    ids=["without locks", "without leases"],
)
def test_the_control_of_claims(world: Outreach, changes: list[tuple[str, str]]) -> None:
    crowd(world, 400)
    with replaced(world, CLAIM, *changes):
        assert max(Counter(claimed_by_racing(world)).values()) > 1


def test_a_claimer_waits_for_nobody(world: Outreach) -> None:
    tenant = crowd(world, 30)
    with world.database.connect("lab_platform") as slow:
        assert len(claim(slow, 10, 10, NOW)) == 10  # not committed
        world.run("set statement_timeout = '2s'")
        assert len(claim(world.platform, 100, 100, NOW)) == 20
        world.run("reset statement_timeout")
    assert world.value("select status from public.tenants where id = %s", tenant) == "active"


def shares(world: Outreach, turns: int) -> Counter[uuid.UUID]:
    """How often each tenant was served when a claim has room for one in four."""
    served: Counter[uuid.UUID] = Counter()
    with world.platform.transaction(force_rollback=True):
        for turn in range(turns):
            got = claim(world.platform, 10, 5, NOW + turn * DAY, MINUTE)
            assert len(got) == 10
            assert set(Counter(tenant for tenant, _ in got).values()) == {5}
            served.update({tenant for tenant, _ in got})
    return served


def test_small_tenants_get_theirs_beside_a_huge_one(world: Outreach) -> None:
    huge = crowd(world, 1000)
    small = [crowd(world, 5) for _ in range(7)]
    served = shares(world, 160)
    # Two of eight tenants a turn: 40 turns each, and more than 6 standard deviations around it.
    assert set(served) == {huge, *small}
    assert all(6 < turns < 74 for turns in served.values()), served


def test_the_control_of_shares(world: Outreach) -> None:
    """In the order of their ids the oldest tenants are served, and nobody else."""
    for _ in range(8):
        crowd(world, 50)
    shuffled = r"array_shuffle\((array\([^)]*'active')\)"
    with replaced(world, CLAIM, (shuffled, r"(\1 order by a.id)")):
        assert len(shares(world, 20)) == 2


def test_the_batch_is_filled_from_as_many_as_it_takes(world: Outreach) -> None:
    for _ in range(6):
        crowd(world, 3)
    assert len(claim(world.platform, 17, 20, NOW)) == 17
    assert len(claim(world.platform, 17, 20, NOW)) == 1
    assert claim(world.platform, 0, 20, NOW + DAY) == []


@pytest.mark.parametrize("status", ["created", "suspended", "deleted"])
def test_only_active_tenants_are_claimed_for(world: Outreach, status: str) -> None:
    """Made so, whatever the tenant's own state machine says."""
    tenant, other = crowd(world, 3), crowd(world, 2)
    with world.database.connect(autocommit=True) as administrator:
        administrator.execute("alter table public.tenants disable trigger user")
        administrator.execute(
            "update public.tenants set status = %s, deleted = %s where id = %s",
            [status, NOW if status == "deleted" else None, tenant],
        )
        administrator.execute("alter table public.tenants enable trigger user")
    assert {found for found, _ in claim(world.platform, 100, 100, NOW)} == {other}


@pytest.mark.parametrize("end", ["terminated", "closed"])
def test_a_dead_claimer_loses_nothing(world: Outreach, end: str) -> None:
    crowd(world, 30)
    victim = world.database.connect("lab_platform")
    assert len(claim(victim, 20, 20, NOW, LEASE)) == 20
    if end == "terminated":
        with world.database.connect() as administrator:
            administrator.execute(
                "select pg_terminate_backend(%s, 5000)", [victim.info.backend_pid]
            )
    victim.close()
    deadline = time.monotonic() + 5
    got = claim(world.platform, 100, 100, NOW, LEASE)
    while len(got) < 30 and time.monotonic() < deadline:  # until the server has noticed
        got += claim(world.platform, 100, 100, NOW, LEASE)
    assert len(set(got)) == 30


def test_a_claimer_that_died_after_its_commit_holds_up_for_its_lease(world: Outreach) -> None:
    crowd(world, 20)
    with world.database.connect("lab_platform") as victim:
        first = claim(victim, 20, 20, NOW, LEASE)
    assert claim(world.platform, 20, 20, NOW + LEASE - timedelta(seconds=1), LEASE) == []
    assert set(claim(world.platform, 20, 20, NOW + LEASE, LEASE)) == set(first)


EXECUTE = "campaigns.execute_step(uuid,uuid,timestamptz)"


def racing_executions(world: Outreach, leads: int = 8) -> tuple[list[str], int]:
    """Outcomes of four workers that each execute every enrollment; mails sent."""
    # As many accounts as workers: each is one session's while it sends.
    tenant = world.mailer(accounts=4)
    running = world.running(ACTION, ("action", DAY), leads=leads, tenant=tenant)
    enrollments = [running.enrollment(n)["id"] for n in range(leads)]

    def work(connection: psycopg.Connection, _: int) -> list[str]:
        outcomes = []
        for enrollment in enrollments:
            outcomes.append(do(connection, "execute_step", running.tenant, enrollment, NOW))
            # Long enough for the others to come.
            connection.execute("select pg_sleep(0.005)")
            connection.commit()
        return outcomes

    outcomes = [outcome for found in world.race(4, work) for outcome in found]
    sent = world.value(
        "select count(*) from campaigns.events where tenant_id = %s and kind = 'sent'",
        running.tenant,
    )
    return outcomes, sent


def test_workers_that_execute_the_same_enrollment_send_once(world: Outreach) -> None:
    outcomes, sent = racing_executions(world)
    assert sent == 8
    assert Counter(outcomes) == {"sent": 8, "not_due": 24}


def test_the_unique_key_stops_what_the_lock_would_let_through(world: Outreach) -> None:
    with (
        replaced(world, EXECUTE, ("for no key update", "")),
        pytest.raises(psycopg.errors.UniqueViolation, match="step_executions_once_key"),
    ):
        racing_executions(world)


def test_the_control_of_sending_once(world: Outreach) -> None:
    """Without the lock and without the key mails are sent twice, and the test notices."""
    key = "alter table campaigns.step_executions {} constraint step_executions_once_key"
    with world.database.connect(autocommit=True) as administrator:
        administrator.execute(key.format("drop").encode())
        try:
            with replaced(world, EXECUTE, ("for no key update", "")):
                _, sent = racing_executions(world)
        finally:
            administrator.execute("truncate campaigns.events, campaigns.step_executions")
            administrator.execute(
                f"{key.format('add')} unique (tenant_id, enrollment_id, step_id, rotation)".encode()
            )
    assert sent > 8


def test_nobody_waits_for_a_lock_and_then_sends_for_what_has_been_paused(world: Outreach) -> None:
    running = world.running()
    enrollment = running.enrollment()["id"]
    outcome: list[str] = []
    with world.database.connect("lab_platform") as holder:
        holder.execute(
            "select from campaigns.enrollments where tenant_id = %s and id = %s for no key update",
            [running.tenant, enrollment],
        )

        def work() -> None:
            with world.database.connect("lab_platform", autocommit=True) as late:
                outcome.append(do(late, "execute_step", running.tenant, enrollment, NOW))

        waiting = threading.Thread(target=work)
        waiting.start()
        until_blocked(world)
        world.do("pause_campaign", running.tenant, running.campaign, "wait", NOW)
        holder.commit()
        waiting.join(timeout=10)
    assert outcome == ["campaign_not_running"]
    assert running.executions() == []


def until_blocked(world: Outreach) -> None:
    """Until a session of this database waits for a lock."""
    with world.database.connect(autocommit=True) as administrator:
        for _ in range(1000):
            if administrator.execute(
                "select true from pg_stat_activity where datname = %s and wait_event_type = 'Lock'",
                [world.database.name],
            ).fetchone():
                return
            time.sleep(0.005)
    pytest.fail("nobody waits")


def test_parking_against_a_start_loses_no_enrollment(world: Outreach) -> None:
    running = world.running(("wait", timedelta(0)), leads=5)
    enrollments = [running.enrollment(n)["id"] for n in range(5)]
    reset = (
        "update campaigns.enrollments set due_at = %s, deferred_for = null, deferred_since = null"
        " where tenant_id = %s"
    )
    parked = 0
    with (
        world.database.connect("lab_platform", autocommit=True) as starter,
        world.database.connect("lab_platform", autocommit=True) as worker,
    ):
        for turn in range(60):
            world.do("pause_campaign", running.tenant, running.campaign, "again", NOW)
            world.run(reset, NOW, running.tenant)
            park = [
                (worker, "park", running.tenant, enrollment, running.campaign, NOW)
                for enrollment in enrollments
            ]
            start = [(starter, "start_campaign", running.tenant, running.campaign, NOW)]
            threads = [
                threading.Thread(target=lambda calls=calls: [do(*call) for call in calls])
                for calls in ((park, start), (start, park))[turn % 2]
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(timeout=10)
            found = [running.enrollment(n) for n in range(5)]
            assert {row["status"] for row in found} == {"active"}
            assert max(row["due_at"] for row in found) <= NOW + MINUTE
            parked += sum(row["deferred_for"] is None for row in found)
    assert 0 < parked < 300, "both orders occurred"


def test_an_end_against_enrollments_leaves_nobody_on_the_way(world: Outreach) -> None:
    tenant = world.tenant()
    raised = 0
    for _ in range(15):
        campaign, _steps = world.campaign(tenant, ("wait", timedelta(0)))
        world.do("start_campaign", tenant, campaign, NOW)
        leads = world.leads(tenant, 12)

        def work(
            connection: psycopg.Connection, n: int, campaign: Any = campaign, leads: Any = leads
        ) -> int:
            if n == 0:
                time.sleep(0.002)
                do(connection, "finish_campaign", tenant, campaign, NOW)
                return 0
            try:
                for lead in leads:
                    do(connection, "enroll_leads", tenant, campaign, [lead], NOW)
                    connection.commit()
            except psycopg.errors.ObjectNotInPrerequisiteState:
                return 1
            return 0

        raised += sum(world.race(2, work))
        active = world.value(
            "select count(*) from campaigns.enrollments"
            " where campaign_id = %s and status = 'active'",
            campaign,
        )
        assert active == 0
    assert raised > 0


def test_bounces_at_once_are_all_counted_before_one_decides(world: Outreach) -> None:
    """Four of fifty pause it, even when each of the four comes while the others do."""
    for _ in range(5):
        running = world.running(leads=50)
        while world.run_due(NOW):
            pass

        def bounce(connection: psycopg.Connection, n: int, running: Any = running) -> None:
            do(connection, "record_event", running.tenant, running.campaign, running.leads[n],
               running.steps[0], "bounced", NOW + MINUTE)  # fmt: skip

        world.race(4, bounce)
        assert world.status("campaigns", running.campaign) == "paused"


def test_erasing_a_lead_waits_for_its_mail(world: Outreach) -> None:
    running = world.running()
    with world.database.connect("lab_platform") as worker:
        enrollment = running.enrollment()["id"]
        assert do(worker, "execute_step", running.tenant, enrollment, NOW) == "sent"
        erased: list[bool] = []

        def erase() -> None:
            with world.database.connect("lab_platform", autocommit=True) as session:
                erased.append(do(session, "erase_lead", running.tenant, running.leads[0], NOW))

        waiting = threading.Thread(target=erase)
        waiting.start()
        until_blocked(world)
        worker.commit()
        waiting.join(timeout=10)
    assert erased == [True]
    assert world.rows("select from campaigns.events where tenant_id = %s", running.tenant) == []


def test_a_renewed_suppression_does_not_expire(world: Outreach) -> None:
    tenant = world.tenant()
    world.do("suppress", tenant, "a@one.example", "manual", NOW, NOW - DAY)
    with world.database.connect("lab_platform") as renewing:
        do(renewing, "suppress", tenant, "a@one.example", "unsubscribed", None, NOW + DAY)

        def expire() -> None:
            with world.database.connect("lab_platform", autocommit=True) as session:
                do(session, "expire_suppressions", 100, NOW + DAY)

        waiting = threading.Thread(target=expire)
        waiting.start()
        until_blocked(world)
        renewing.commit()
        waiting.join(timeout=10)
    assert world.do("is_suppressed", tenant, "a@one.example", NOW + DAY)
