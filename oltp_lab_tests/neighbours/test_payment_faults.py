"""The provider down, slow, answering rubbish and back; no webhooks; answers that are lost."""

import json
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import stripe

from oltp_lab.neighbours import services
from oltp_lab.neighbours.payments import client, life
from oltp_lab.neighbours.payments.assets import payments
from oltp_lab.neighbours.payments.client import CARD, Provider
from oltp_lab.neighbours.payments.life import Life
from oltp_lab.neighbours.payments.world import World
from oltp_lab.servers import Database, databases
from oltp_lab.settings import Settings
from oltp_lab_tests.neighbours.between import Between, between

KEY = "sk_test_canary_zqxw"
OF_TENANT = "select count(*) from billing.subscriptions where tenant_id = %s"


@pytest.fixture(scope="module")
def proxy(settings: Settings) -> Iterator[Between]:
    """Before a provider that knows ``KEY`` and tells nobody of its events."""
    secrets = {"STRIPE_API_KEY": KEY, "STRIPE_WEBHOOK_SECRET": "whsec_zqxw"}
    with (
        services.running(
            settings, "oltp_lab.neighbours.payments.provider", environment=secrets
        ) as (_, about),
        between(about["port"]) as proxy,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(stripe.HTTPClient, "INITIAL_DELAY", 0.01)  # between the client's tries
        patch.setattr(stripe.HTTPClient, "MAX_DELAY", 0.02)
        yield proxy


@pytest.fixture(scope="module")
def world(proxy: Between, schema_template: Database) -> Iterator[World]:
    with (
        databases.temporary(schema_template, schema_template) as clone,
        clone.connect("lab_platform", autocommit=True) as session,
    ):
        found = World(clone, Provider.connect(KEY, proxy.url, timeout=0.3), session)
        sold = ("starter", "growth")
        found.provider.sell([p for p in found.rows("catalog") if p["product_key"] in sold])
        yield found


@pytest.fixture(autouse=True)
def well(proxy: Between) -> Iterator[None]:
    """However a test ends, the next one begins with a provider that answers."""
    yield
    proxy.way = "through"
    proxy.released.set()


def _begun(world: World) -> Life:
    """A tenant that has signed up, of which nothing is here yet."""
    a = _tenant(world)
    a.begin("starter.month.1")
    return a


def _tenant(world: World) -> Life:
    """One with a test clock of its own."""
    world.clock = world.provider.clock(life.START)
    a = Life(world, 0)
    world.connection.execute(world.queries["new_tenant"], {"tenant": a.tenant, "name": "Acme"})
    return a


def test_without_webhooks_events_are_asked_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_PAGE", 3)
    a = _begun(world)
    world.settle()
    assert world.differences(a.tenant, world.provider.state(a.customer)) == []
    a.upgrade("growth.month.1", life.START)
    world.settle()
    outcome = life.compare(world, [a], 1.0)
    found = (outcome.converged(), outcome.unbalanced(), outcome.mishandled(), outcome.doubled())
    assert found == ([], [], [], [])
    # Somebody else's at the same account is nothing to us, and not in the way.
    world.provider.client.v1.customers.create({"metadata": {"of": "another system"}})
    events = [json.dumps(e) for e in world.provider.events()]
    world.connection.execute(world.queries["receive"], [events])
    assert world.process() == 1
    assert world.rows("inbox")[0]["events"] == world.rows("inbox")[0]["processed"]


@pytest.mark.parametrize("way", ["page", "half", "shapeless", "hang"])
def test_nothing_is_lost_by_bad_answers_and_nobody_waits(
    world: World, proxy: Between, way: str
) -> None:
    a = _begun(world)
    events = [json.dumps(e) for e in world.provider.events()]
    world.connection.execute(world.queries["receive"], [events])
    proxy.way = way
    proxy.held.clear()
    proxy.released.clear()
    with ThreadPoolExecutor(1) as pool:
        processing = pool.submit(world.process)
        if way == "hang":
            assert proxy.held.wait(10)
            _write(world.database, a.tenant)
            assert not processing.done(), "the provider hangs, and nobody waited for it"
        processing.result(20)
    waiting = world.connection.execute(
        "select distinct status, attempts, outcome from billing.webhook_events"
        " where billing.customer_of(payload) = %s", [a.customer],
    ).fetchall()  # fmt: skip
    assert waiting == [("pending", 1, "the provider did not answer as it should")]
    assert world.connection.execute(OF_TENANT, [a.tenant]).fetchone() == (0,)
    proxy.way = "through"
    assert world.process(datetime.now(UTC) + timedelta(minutes=3)) > 0
    assert world.differences(a.tenant, world.provider.state(a.customer)) == []


def _write(database: Database, tenant: str) -> None:
    """What the application does meanwhile, and would not wait for."""
    with database.connect("lab_platform") as session:
        session.execute("set lock_timeout = '1s'")
        session.execute("update public.tenants set name = 'Acme Ltd' where id = %s", [tenant])
        session.execute("select billing.create_subscription(%s, 'free')", [tenant])
        session.rollback()
        session.execute("update billing.webhook_events set received_at = received_at")


def test_a_provider_that_is_down(world: World, proxy: Between) -> None:
    a = _begun(world)
    events = [json.dumps(e) for e in world.provider.events()]
    world.connection.execute(world.queries["receive"], [events])
    there, world.provider = world.provider, Provider.connect(KEY, "http://127.0.0.1:9")
    try:
        assert world.process() > 0
    finally:
        world.provider = there
    assert world.connection.execute(OF_TENANT, [a.tenant]).fetchone() == (0,)
    world.process(datetime.now(UTC) + timedelta(minutes=3))
    assert world.differences(a.tenant, world.provider.state(a.customer)) == []


@pytest.mark.parametrize("keyed", [True, False])
def test_a_repeated_request_is_done_once_by_its_key(
    world: World, proxy: Between, monkeypatch: pytest.MonkeyPatch, keyed: bool
) -> None:
    """Whose answer is lost, repeats; under another key it is done again, and that is found."""
    hasty = stripe.StripeClient(KEY, base_addresses={"api": proxy.url}, max_network_retries=0)
    monkeypatch.setattr(world.provider, "client", hasty)
    if not keyed:
        monkeypatch.setattr(Life, "key", lambda *_: str(uuid.uuid4()))
    a = _tenant(world)

    def lost_at_first(act: Callable[[], Any]) -> None:
        proxy.way = "lost"
        with pytest.raises(stripe.APIConnectionError):
            act()
        before = a.seen.copy()
        act()
        a.seen = before  # it was one wish

    lost_at_first(lambda: a.begin("starter.month.1"))
    lost_at_first(a.refund)
    outcome = life.compare(world, [a], 1.0)
    doubled = ["2 customers made, 1 asked for", "2 refunds made, 1 asked for"]
    assert outcome.doubled() == ([] if keyed else doubled)


def test_a_cancellation_is_repeated_though_it_has_no_key(world: World, proxy: Between) -> None:
    a = _begun(world)
    proxy.way = "lost"
    a.cancel(at_period_end=False)
    world.settle()
    assert world.differences(a.tenant, world.provider.state(a.customer)) == []
    with pytest.raises(stripe.InvalidRequestError, match="No such subscription"):
        world.provider.cancel("sub_unknown", "k", at_period_end=False)


def test_long_lists_are_read_to_their_end(world: World) -> None:
    """The provider answers the first ten of what is within an object."""
    provider, clock = world.provider, world.provider.clock(life.START)
    sold = [{"key": f"option_{n}", "product_key": f"option_{n}", "name": f"Option {n}",
             "period": "month", "amount_cents": 100 + n} for n in range(12)]  # fmt: skip
    provider.sell(sold)
    v1 = provider.client.v1
    customer = v1.customers.create({"test_clock": clock}).id
    provider.set_card(customer, CARD, "long")
    items: Any = [{"price": provider.prices[price["key"]]} for price in sold]
    v1.subscriptions.create({"customer": customer, "items": items})
    (payment,) = provider.state(customer)["payments"]
    for n in range(12):
        provider.refund(payment["id"], n + 1, f"long/{n}")
    told = provider.state(customer)
    for kind, part in (("subscriptions", "items"), ("invoices", "lines"), ("payments", "refunds")):
        assert len(told[kind][0][part]) == 12, part
    assert told["payments"][0]["refunded"] == sum(range(13))


def test_with_an_account_of_ones_own_nothing_tells_its_key(
    proxy: Between, smoke: dict[str, Any], settings: Settings, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str], tmp_path: Path,
) -> None:  # fmt: skip
    """The way to Stripe itself, to where the loopback provider stands instead."""
    there = Provider.connect
    monkeypatch.setattr(Provider, "connect", lambda key: there(key, proxy.url))
    monkeypatch.setenv("STRIPE_API_KEY", KEY)
    with dg.DagsterInstance.ephemeral(str(tmp_path)) as instance:
        done = dg.materialize([payments], resources=smoke, instance=instance)
        assert done.success
        told = [repr(done.get_asset_check_evaluations()), repr(instance.all_logs(done.run_id))]
        told += [repr(instance.get_run_by_id(done.run_id)), *capfd.readouterr()]
    told.append(smoke["measurements"].store().read("select * from payments").to_csv())
    assert all(len(text) > 50 for text in (told[0], told[1], told[-1]))
    assert [text for text in told if "zqxw" in text] == []
