"""Notifications arrive once, whoever is killed where; what breaks a rule is found out."""

import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil
import psycopg
import pytest
from psycopg.types.json import Jsonb

from oltp_lab.neighbours.notifications import dead_letters, kill, wave
from oltp_lab.neighbours.notifications.relay import Places, Terms
from oltp_lab.neighbours.notifications.wave import Extent, Place
from oltp_lab.servers import Database
from oltp_lab.settings import Settings

SMALL = Extent(tenants=10, each=1, storm=12, limit_s=60)
TERMS = wave.TERMS.arguments()
NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
BROKEN = "oltp_lab_tests.neighbours.broken_relay"


@pytest.fixture
def place(settings: Settings, seeded: Database) -> Iterator[Place]:
    with wave.place(settings, seeded) as made:
        yield made


# All of it.


def test_nothing_is_lost_or_doubled_by_a_kill_at_each_point(place: Place) -> None:
    wave.make(place.oltp, SMALL)
    points = (*kill.RELAY, *kill.WORKER)
    pace = ("--pace", "0.001", "--heartbeat", "0.5")
    terms = Terms(burst=3, period=timedelta(seconds=1))
    *_, killed = wave.deliver(place, limit_s=60, terms=terms, pace=pace, kills=points)
    found = wave.judge(place, terms)
    assert (found["lost"], found["doubled"], found["paged"]) == (0, 0, 0), found
    assert killed == dict.fromkeys(points, 1)
    assert found["accepted_again"] > 0, "no kill made a mail be sent again"
    assert found["dead_mails"] > 0
    assert found["unheld"] == 0
    assert found["digested"] > 0
    # An owner's address that was gone is right now.
    with place.oltp.connect(autocommit=True) as session:
        session.execute("update users.users set email = replace(email, 'gone', 'back')")
    assert dead_letters.requeue(Places(place.oltp, place.queue)) == found["dead_mails"]
    assert dead_letters.requeue(Places(place.oltp, place.queue)) == 0
    wave.deliver(place, limit_s=30, terms=terms, pace=pace)
    found = wave.judge(place)
    assert (found["lost"], found["doubled"], found["dead"]) == (0, 0, 0), found


# The relay.


@dataclass
class Handed:
    """Mails that went in, jobs that came out, and what is left."""

    mails: int
    jobs: int
    distinct: int
    left: int


def handed(place: Place, *arguments: str, module: str, deadly: str, count: int = 120) -> Handed:
    """What a relay has done that was killed and then went on."""
    left: int = count
    with place.oltp.connect(autocommit=True) as session:
        session.execute("truncate integration.outbox")
        session.execute(
            "insert into integration.outbox (tenant_id, topic)"
            " select gen_random_uuid(), 'notification.due' from generate_series(1, %s)", [count],
        )  # fmt: skip
    with place.queue.connect(autocommit=True) as queue:
        queue.execute("truncate queue.pgqueuer, queue.relay_seen")
        for more in (("--die-at", deadly), ()):
            with place.relay(*arguments, "--batch", "50", *more, module=module) as (child, _):
                until = time.monotonic() + 20
                while child.poll() is None and time.monotonic() < until:
                    with place.oltp.connect(autocommit=True) as session:
                        (left,) = session.execute(
                            "select count(*) from integration.outbox"
                        ).fetchone() or (0,)
                    if not more and not left:
                        break
                    time.sleep(0.02)
                assert (child.poll() is None) == (not more)
        jobs, distinct = queue.execute(
            "select count(*), count(distinct convert_from(payload, 'UTF8')) from queue.pgqueuer"
        ).fetchone() or (0, 0)
    return Handed(count, jobs, distinct, left)


def test_a_relay_that_breaks_a_rule_is_found_out(place: Place) -> None:
    whole = handed(place, module=f"{wave.PACKAGE}.relay", deadly="queue committed")
    assert whole == Handed(120, 120, 120, 0)
    lossy = handed(place, "reversed", module=BROKEN, deadly="handed over")
    assert lossy == Handed(120, 70, 70, 0)
    doubling = handed(place, "forgetful", module=BROKEN, deadly="queue committed")
    assert doubling == Handed(120, 170, 120, 0)


def test_a_worker_that_forgets_message_ids_and_a_relay_without_bounds_are_found_out(
    place: Place,
) -> None:
    wave.make(place.oltp, SMALL)
    broken, whole = "oltp_lab_tests.neighbours.broken_worker", place.worker
    place.worker = lambda *a: whole(*a, module=broken)  # type: ignore[method-assign]
    wave.deliver(place, limit_s=30, terms=Terms(burst=50), kills=["sent"])
    found = wave.judge(place)
    assert found["lost"] > 0
    assert found["doubled"] > 0
    assert found["paged"] > 0, "fifty mails an hour are more than five"


# Faults of neighbours.


def test_the_oltp_does_not_wait_for_neighbours_and_nothing_is_lost(place: Place) -> None:
    """While the queue refuses connections and the mail server answers late or not in SMTP."""
    with place.queue.server.administer() as administrator:
        allow = f'alter database "{place.queue.name}" allow_connections '
        administrator.execute(f"{allow} false".encode())
        with place.relay(*TERMS) as (running, _):
            began = time.monotonic()
            wave.make(place.oltp, SMALL)
            assert time.monotonic() - began < 10
            assert running.poll() is None
            administrator.execute(f"{allow} true".encode())
    for mood, told in (("rubbish", "%html%"), ("refused", "%refused%"), ("slow", None)):
        with ExitStack() as stack:
            refused = mood == "refused"
            port = 9 if refused else stack.enter_context(place.sink("--mood", mood))  # discard
            stack.enter_context(place.relay(*TERMS))
            stack.enter_context(place.worker(port, *wave.PACE))
            until = time.monotonic() + 10
            while mood == "slow" and not _spoken_to(port) and time.monotonic() < until:
                time.sleep(0.02)
            assert mood != "slow" or _spoken_to(port)
            began = time.monotonic()
            wave.surge(place.oltp, wave.MORE)
            assert time.monotonic() - began < 10
            assert mood != "slow" or _spoken_to(port), "somebody waits for it meanwhile"
            until = time.monotonic() + 10
            while told and not _failed(place, told) and time.monotonic() < until:
                time.sleep(0.05)
            assert not told or _failed(place, told), mood
    wave.deliver(place, limit_s=30)
    found = wave.judge(place)
    assert (found["lost"], found["doubled"], found["unheld"]) == (0, 0, 0), found


def _spoken_to(port: int) -> bool:
    """Does a connection to it wait for an answer?"""
    return any(
        link.laddr.port == port and link.status == psutil.CONN_ESTABLISHED  # type: ignore[union-attr]
        for link in psutil.net_connections("tcp4")
        if link.laddr
    )


def _failed(place: Place, told: str) -> bool:
    with place.oltp.connect() as session:
        (failed,) = session.execute(
            "select count(*) from integration.notifications"
            " where last_error like 'mail server: ' || %s", [told],
        ).fetchone() or (0,)  # fmt: skip
    return failed > 0


def test_an_event_that_cannot_be_told_is_held_and_stops_nothing(place: Place) -> None:
    poison = "alter table integration.notifications {} constraint poison"
    with place.oltp.connect(autocommit=True) as administrator:
        condition = "check (payload ->> 'name' is distinct from 'wave 3') not valid"
        administrator.execute(f"{poison.format('add')} {condition}".encode())
        wave.make(place.oltp, SMALL)
        wave.deliver(place, limit_s=30)
        with place.queue.connect() as queue:
            held = queue.execute(
                "select convert_from(payload, 'UTF8')::jsonb ->> 'error' from queue.pgqueuer"
                " where status = 'failed' and entrypoint = 'fan_out'"
            ).fetchall()
        assert len(held) == 2, "it started and finished"
        assert all("poison" in told for (told,) in held)
        found = wave.judge(place)
        assert found["lost"] > 0, "nobody was told of it"
        assert found["in_app"] > found["lost"]
        administrator.execute(poison.format("drop").encode())
    assert dead_letters.requeue(Places(place.oltp, place.queue)) >= 2
    wave.deliver(place, limit_s=30)
    found = wave.judge(place)
    assert (found["lost"], found["doubled"], found["unheld"]) == (0, 0, 0), found


# Triggers.


def told(session: psycopg.Connection) -> list[tuple[str, Any]]:
    """What the outbox was told since it was asked last."""
    return session.execute(
        "delete from integration.outbox returning topic, payload ->> 'reason'"
    ).fetchall()


def test_milestones_are_told_in_the_transaction_that_makes_them(seeded: Database) -> None:
    with seeded.connect() as session:
        told(session)

        def changed(update: str, *expected: tuple[str, Any]) -> None:
            session.execute(update)  # type: ignore[arg-type]
            assert told(session) == list(expected), update

        (campaign,) = session.execute(
            "insert into campaigns.campaigns (tenant_id, name)"
            " select id, 'x' from public.tenants where status = 'active' limit 1 returning id"
        ).fetchone() or (None,)
        assert told(session) == []
        move = "update campaigns.campaigns set status = '{}', pause_reason = {} "
        move += f"where id = '{campaign}'"
        changed(move.format("running", "null"), ("campaign.started", None))
        changed(move.format("paused", "'bounces'"), ("campaign.auto_paused", "bounces"))
        changed(move.format("running", "null"), ("campaign.resumed", None))
        changed(move.format("paused", "'complaints'"), ("campaign.auto_paused", "complaints"))
        changed(move.format("running", "null"), ("campaign.resumed", None))
        changed(move.format("paused", "'lunch'"), ("campaign.paused", "lunch"))
        changed(move.format("paused", "'tea'"))
        changed(move.format("cancelled", "null"), ("campaign.cancelled", None))
        domain = "update infrastructure.domains set status = '{}' where id = (select min(id::text)"
        domain += "::uuid from infrastructure.domains where status in ('verified', 'failing'))"
        session.execute(domain.format("verified").encode())
        told(session)
        changed(domain.format("failing"), ("domain.drifted", None))
        changed(domain.format("verified"), ("domain.verified", None))
        band = "update infrastructure.email_accounts set health = '{}' where id ="
        band += " (select min(id::text)::uuid from infrastructure.email_accounts)"
        told_of = {"throttled", "blocked", "quarantined"}  # from better bands
        for health in ("healthy", "watched", "throttled", "blocked", "healthy", "quarantined"):
            session.execute(band.format(health).encode())
            assert told(session) == [("account.unhealthy", None)] * (health in told_of), health
        session.execute(band.format("throttled").encode())
        assert told(session) == [], "it became better"
        session.execute("alter table billing.payment_attempts disable trigger check_transition")
        changed(
            "update billing.payment_attempts set status = 'failed', failure_code = 'card_declined'"
            " where id = (select id from billing.payment_attempts where status = 'succeeded'"
            " limit 1)",
            ("billing.payment_failed", "card_declined"),
        )
        session.rollback()


def test_a_transaction_that_tells_can_be_prepared(seeded: Database) -> None:
    """One that notifies cannot."""
    with seeded.connect(autocommit=True) as session:
        told(session)
        session.execute("begin")
        session.execute(
            "update campaigns.campaigns set status = 'cancelled' where id ="
            " (select id from campaigns.campaigns where status = 'paused' limit 1)"
        )
        session.execute("prepare transaction 'told'")
        session.execute("commit prepared 'told'")
        assert [topic for topic, _ in told(session)] == ["campaign.cancelled"]
        session.execute("begin")
        session.execute("notify anybody")
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            session.execute("prepare transaction 'told'")
        session.execute("rollback")


def test_a_limit_is_told_of_once_a_period(seeded: Database) -> None:
    """It may be crossed again, by the same event, which the queue has had."""
    with seeded.connect() as session:
        told(session)
        session.execute("delete from billing.usage_counters")
        session.execute(
            "insert into billing.usage_counters (tenant_id, feature_key, period_start, period_end,"
            " maximum, valid_until) select id, 'leads', '-infinity', 'infinity', 10, 'infinity'"
            " from public.tenants where status = 'active' limit 1"
        )

        def use(used: int) -> list[tuple[str, uuid.UUID]]:
            session.execute("update billing.usage_counters set used = %s", [used])
            return session.execute("delete from integration.outbox returning topic, id").fetchall()

        assert use(7) == []
        ((near, first),) = use(8)
        assert near == "billing.limit_near"
        assert use(9) == []
        ((reached, second),) = use(10)
        assert reached == "billing.limit_reached"
        assert use(10) == use(2) == []
        assert use(9) == [(near, first)]
        assert use(2) == []
        assert use(10) == [(reached, second)]
        session.execute("update billing.usage_counters set maximum = 20, used = 0")
        ((near, third),) = use(16)
        assert third not in (first, second)


# Fanning out.


def test_a_storm_is_a_few_mails_and_a_digest(seeded: Database) -> None:
    with seeded.connect("lab_platform") as session:
        (tenant,) = session.execute(
            "select tenant_id from users.tenant_users where 'owner' = any (roles)"
            " and deleted is null order by 1 limit 1"
        ).fetchone() or (None,)
        session.execute("delete from integration.notification_preferences")
        session.execute("delete from configuration.tenant_policies")
        session.execute("update users.tenant_users set roles = '{member}' where tenant_id = %s"
                        " and not 'owner' = any (roles)", [tenant])  # fmt: skip
        events = [
            {
                "tenant_id": str(tenant),
                "id": str(uuid.uuid4()),
                "topic": "campaign.finished",
                "payload": {"name": str(n)},
                "created_at": NOW.isoformat(),
            }
            for n in range(40)
        ]

        def fan_out(part: list[dict[str, Any]], at: datetime) -> int:
            (written,) = session.execute(
                "select integration.fan_out(%s, %s)", [Jsonb(part), at]
            ).fetchone() or (0,)
            return written

        assert fan_out(events[:20], NOW) == 40
        assert fan_out(events[:30], NOW + timedelta(minutes=1)) == 20
        assert fan_out(events, NOW + timedelta(minutes=2)) == 20
        assert fan_out(events, NOW + timedelta(minutes=3)) == 0
        rows = session.execute(
            "select channel, kind, count(*), min(id::text) from integration.notifications"
            " where tenant_id = %s and created_at >= %s group by 1, 2 order by 1, 2", [tenant, NOW],
        ).fetchall()  # fmt: skip
        assert [row[:3] for row in rows] == [
            ("email", "campaign.finished", 5),
            ("email", "digest", 1),
            ("in_app", "campaign.finished", 40),
        ]
        wanted = Jsonb([{"tenant_id": str(tenant), "id": rows[1][3]}])
        composed = session.execute("select body from integration.compose_mails(%s)", [wanted])
        assert '"campaign.finished": 35' in (composed.fetchone() or ("",))[0]
        # What comes when it is closed goes into the next.
        assert fan_out([{**events[0], "id": str(uuid.uuid4())}], NOW + timedelta(minutes=4)) == 2
        digests = session.execute(
            "select next_attempt_at from integration.notifications"
            " where tenant_id = %s and created_at >= %s and kind = 'digest' order by 1",
            [tenant, NOW],
        ).fetchall()  # fmt: skip
        assert digests == [(NOW + timedelta(hours=1),), (NOW + timedelta(hours=2),)]
        session.rollback()
