"""The provider bills, the OLTP follows: whatever order events come in, and however often."""

import json
import random
import traceback
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
import stripe
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from oltp_lab.errors import LabError
from oltp_lab.neighbours.payments import client, life, processor, receiver, world
from oltp_lab.neighbours.payments.client import Provider, State
from oltp_lab.neighbours.payments.life import Outcome
from oltp_lab.neighbours.payments.provider.deliveries import Faults, signature
from oltp_lab.neighbours.payments.provider.invoices import DECLINED
from oltp_lab.neighbours.payments.provider.proration import period_end, remaining
from oltp_lab.neighbours.payments.provider.store import DAY
from oltp_lab.neighbours.payments.world import World
from oltp_lab.servers import Database, databases
from oltp_lab.settings import Settings
from oltp_lab_tests.neighbours.payer import ACTIONS, QUERIES, Payer

ARITHMETIC = """
    select extract(epoch from billing.period_end(t.anchor, %(by)s, t.after))::bigint,
           billing.prorate(%(worth)s, t.anchor, t.ends, t.at)
    from (select to_timestamp(%(anchor)s), to_timestamp(%(after)s),
                 to_timestamp(%(ends)s), to_timestamp(%(at)s)) as t (anchor, after, ends, at)
"""
FAULTS = Faults(late_answers=0.05, late_answer_s=1.0, duplicates=0.3, lost=0.2, late=0.5)


@pytest.fixture(scope="module")
def ledger(schema_template: Database) -> Iterator[Database]:
    with databases.temporary(schema_template, schema_template) as clone:
        yield clone


@pytest.fixture(scope="module")
def platform(ledger: Database) -> Iterator[psycopg.Connection]:
    with ledger.connect("lab_platform", autocommit=True) as connection:
        yield connection


@hypothesis_settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    trial=st.sampled_from([0, 0, 7]),
    actions=st.lists(st.sampled_from(sorted(ACTIONS)), max_size=8),
    seed=st.integers(0, 10**6),
)
def test_any_order_with_any_repeats_ends_as_at_the_provider(
    platform: psycopg.Connection, trial: int, actions: list[str], seed: int
) -> None:
    choice, payer = random.Random(seed), Payer(connection=platform)
    payer.subscribe("growth", trial)
    sent: list[dict[str, Any]] = []
    for action in actions:
        if payer.books.get("subscription", payer.subscription)["ended_at"]:
            payer.subscribe("starter")
        ACTIONS[action](payer)
        if choice.random() < 0.4:  # some come, some of them twice, and are worked off
            waiting = [e for e in payer.told if e not in sent]
            some = choice.sample(waiting, choice.randint(0, len(waiting)))
            payer.deliver(some + some[:1])
            sent += some
            payer.process()
    rest = [e for e in payer.told if e not in sent] + choice.sample(payer.told, 1)
    choice.shuffle(rest)
    payer.deliver(rest)
    while payer.process():
        pass
    assert payer.differences() == []
    (inbox,) = platform.execute(QUERIES["pending"]).fetchall()
    assert inbox == (0,)


@hypothesis_settings(
    max_examples=20,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    asked=st.lists(
        st.tuples(
            st.integers(0, 10**7), st.integers(0, 10**9), st.integers(0, 400 * DAY),
            st.sampled_from(["month", "year"]),
        ),
        max_size=20,
    )
)  # fmt: skip
def test_both_count_alike(
    platform: psycopg.Connection, asked: list[tuple[int, int, int, str]]
) -> None:
    """Ends of periods, and what is left of a price, here and at the provider."""
    for worth, anchor, later, interval in asked:
        ends = period_end(anchor, interval, anchor + later)
        starts, at = anchor, anchor + later // 2
        asked_for = {"anchor": anchor, "by": interval, "after": anchor + later, "worth": worth}
        ours = platform.execute(ARITHMETIC, asked_for | {"ends": ends, "at": at}).fetchone()
        assert ours == (ends, remaining(worth, starts, ends, at))


def test_who_goes_by_the_order_of_events_diverges_and_is_found(
    platform: psycopg.Connection,
) -> None:
    payer = Payer(connection=platform)
    payer.subscribe("growth")
    payer.set_card(DECLINED)
    payer.later(33 * DAY)
    payer.set_card("pm_card_visa")
    payer.later(3 * DAY)
    payer.change({"cancel_at_period_end": "true"})
    payer.deliver(payer.told[::-1])
    payer.process()
    assert payer.differences() == []
    diverged = {rule: n for rule, n in platform.execute(QUERIES["diverged"])}  # noqa: C416
    assert diverged["order of arrival"] >= 1
    # As such a processor would have left it.
    platform.execute(
        b"update billing.subscriptions set cancel_at_period_end = false where tenant_id = %s",
        [payer.tenant],
    )
    assert [True for (told,) in payer.differences() if "subscription" in told] == [True]
    platform.execute(b"delete from billing.webhook_events")


def test_an_earlier_state_is_refused_and_a_dead_worker_replaced(
    platform: psycopg.Connection,
) -> None:
    payer = Payer(connection=platform)
    payer.subscribe("starter")
    payer.deliver(payer.told)
    now = datetime.now(UTC)
    (slow,) = platform.execute(QUERIES["claim"], {"batch": 100, "at": now}).fetchall()
    earlier = payer.fetch(payer.customer)
    payer.have("scale")
    payer.deliver(payer.told[-1:])
    assert payer.process() == 1, "what the slow one holds is leased"
    told = {
        "customer": payer.customer,
        "told": Jsonb(earlier),
        "asked_at": slow[3],
        "event_ids": [],
    }
    assert platform.execute(QUERIES["mirror"], told).fetchone() == ("stale",)
    assert payer.differences() == []
    assert payer.process() == 0
    assert payer.process(now + timedelta(minutes=2)) == len(slow[2]), "its lease is over"
    assert payer.differences() == []


def test_what_fails_waits_and_leaves_the_rest_alone(platform: psycopg.Connection) -> None:
    payer, other = Payer(connection=platform), Payer(connection=platform)
    for p in (payer, other):
        p.subscribe("starter")
        p.deliver(p.told)

    def fetch(customer: str) -> State:
        if customer == payer.customer:
            raise stripe.APIConnectionError("sk_test_secret is not to be seen")
        return other.fetch(customer)

    processor.process(platform, fetch)
    assert other.differences() == []
    failed = platform.execute(
        b"select distinct outcome, attempts, status from billing.webhook_events"
        b" where billing.customer_of(payload) = %s", [payer.customer],
    ).fetchall()  # fmt: skip
    assert failed == [("the provider did not answer as it should", 1, "pending")]
    payer.process(datetime.now(UTC) + timedelta(minutes=3))
    assert payer.differences() == []


def test_a_mirrored_tenant_is_changed_at_the_provider_alone(platform: psycopg.Connection) -> None:
    payer = Payer(connection=platform)
    payer.subscribe("starter")
    payer.deliver(payer.told)
    payer.process()
    for change in ("change_plan(%s, 'scale')", "create_subscription(%s, 'free')"):
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="by the provider"):
            platform.execute(f"select billing.{change}".encode(), [payer.tenant])
    later = datetime.now(UTC) + timedelta(days=400)
    advanced = platform.execute(
        b"select tenant_id from billing.advance_subscriptions(100, %s)", [later]
    )
    assert uuid.UUID(payer.tenant) not in {t for (t,) in advanced}
    with platform.transaction(), pytest.raises(RuntimeError, match="transaction"):
        payer.process()


@pytest.fixture(scope="module")
def lived(settings: Settings, schema_template: Database) -> Iterator[tuple[World, Outcome]]:
    """A tenant of each life, through the real client, over HTTP."""
    with (
        databases.temporary(schema_template, schema_template) as clone,
        world.running(settings, clone, FAULTS, seed=3) as running,
    ):
        yield running, life.live(running, len(life.LIVES))


def test_lives_through_the_real_client(lived: tuple[World, Outcome]) -> None:
    running, outcome = lived
    assert (outcome.converged(), outcome.unbalanced(), outcome.mishandled()) == ([], [], [])
    c = outcome.counts
    assert (c["previews"], c["upgrades declined"]) == (1, 1)
    assert c["deliveries: duplicates"] > 0
    assert {f"ended {s}" for s in ("active", "paused", "incomplete_expired", "canceled")} <= set(c)
    forged = json.dumps({"id": "evt_forged", "type": "invoice.paid", "created": 1, "data": {}})
    for header in (signature(forged, "whsec_x"), signature(forged, running.secret, 1), ""):
        headers = {"Stripe-Signature": header}
        assert running.webhooks
        answer = requests.post(running.webhooks, forged, headers=headers, timeout=10)
        assert answer.status_code == 400
    assert running.rows("inbox")[0]["events"] == c["events told"]
    # What a receiver that believes everybody would have let in is found by the count.
    receiver.store(running.connection, [forged])
    kept = {**c, "events kept": running.rows("inbox")[0]["events"]}
    assert Outcome(kept, [], {}, 0.0).mishandled()
    assert Outcome({**c, "paid cents, here": c["paid cents, here"] + 1}, [], {}, 0.0).unbalanced()


def test_secrets_are_nowhere(
    lived: tuple[World, Outcome], settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    running, outcome = lived
    place = (running.deliveries or "").removesuffix("/deliveries")
    wrong = Provider.connect("sk_test_not_this_one_zqxw", place)
    told = [repr(running), repr(wrong), repr(outcome), json.dumps(outcome.rows())]
    with pytest.raises(stripe.AuthenticationError) as caught:
        wrong.client.v1.customers.create({})
    told += traceback.format_exception(caught.value)
    with pytest.raises(LabError) as refused:
        Provider.connect("sk_live_zqxw_secret")
    told += traceback.format_exception(refused.value)
    commands = (p.read_bytes().decode() for p in Path("/proc").glob("[0-9]*/cmdline") if _ours(p))
    told += [*commands, *capfd.readouterr()]
    from dataclasses import replace

    known = replace(
        settings, stripe_api_key="sk_test_zqxw_ours", stripe_webhook_secret="whsec_ours"
    )
    told += [repr(known)]
    events = running.connection.execute("select payload::text from billing.webhook_events")
    told += [text for (text,) in events]
    secrets = (running.secret, "sk_test_not_this_one", "zqxw", "whsec_ours")
    assert [s for s in secrets for text in told if s in text] == []


def _ours(place: Path) -> bool:
    try:
        return b"oltp_lab" in place.read_bytes()
    except OSError:
        return False


def test_a_late_answer_is_asked_for_again_under_its_key(lived: tuple[World, Outcome]) -> None:
    """Each tenant has one customer, one subscription, though answers were lost."""
    running, outcome = lived
    made = running.connection.execute(
        "select count(*) from billing.webhook_events where type = 'customer.created'"
    ).fetchone()
    assert made == (outcome.counts["tenants"],)
    assert client.CARD != client.DECLINING_CARD
