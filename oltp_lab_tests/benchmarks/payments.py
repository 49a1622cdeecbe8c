"""Webhooks taken in, against verifying and inserting alone; changes through the whole path."""

import json
import secrets
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg

from oltp_lab import settings, sql
from oltp_lab.neighbours import services
from oltp_lab.neighbours.payments import receiver, world
from oltp_lab.neighbours.payments.life import START
from oltp_lab.neighbours.payments.provider.deliveries import Faults, signature
from oltp_lab.servers import Database
from oltp_lab_tests.benchmarks._scratch import scratch

_EVENTS, _ROUNDS, _LINKS = 1000, 5, 16
_SECRET = f"whsec_{secrets.token_hex(8)}"
_Signed = list[tuple[str, str]]


def measure_webhook_ingest() -> list[dict[str, Any]]:
    """Events/s of the handler and through HTTP, each event kept durably, in turns with the bare."""
    current = settings.load()
    with (
        scratch(current) as database,
        _receiver(database) as port,
        database.connect("lab_platform", autocommit=True) as connection,
    ):
        arms: dict[str, Callable[[_Signed], object]] = {
            "bare": lambda events: _bare(connection, events),
            "handler": lambda events: _handle(connection, events),
            "http": lambda events: _post(port, events),
        }
        turns = [
            {arm: _rate(act, _signed(_EVENTS)) for arm, act in arms.items()} for _ in range(_ROUNDS)
        ]
    return [
        {
            "name": f"webhook_ingest {arm}, events/s",
            "ours": round(statistics.median(turn[arm] for turn in turns)),
            "reference": round(statistics.median(turn["bare"] for turn in turns)),
            "ratio": statistics.median(turn[arm] / turn["bare"] for turn in turns),
            "goal": f">= {goal}",
            "detail": "; ".join(f"{turn[arm]:.0f} against {turn['bare']:.0f}" for turn in turns),
        }
        for arm, goal in (("handler", 0.7), ("http", 0.4))
    ]


def measure_payment_path() -> list[dict[str, Any]]:
    """Changes/s, asked for through the client and back by webhook, with 100 and 2,000 tenants.

    The same changes without the way back are the reference.
    """
    return [_path(tenants) for tenants in (100, 2000)]


def _path(tenants: int, changes: int = 50) -> dict[str, Any]:
    current = settings.load()
    with scratch(current) as database, world.running(current, database, Faults()) as running:
        provider = running.provider
        sold = ("starter", "growth")
        provider.sell([p for p in running.rows("catalog") if p["product_key"] in sold])
        clock = provider.clock(START)
        signed = _sign_up(running, tenants, clock)
        running.settle()
        provider.advance(clock, START + 86400)
        running.settle()

        def upgrade(subscription: str) -> None:
            provider.upgrade(subscription, "growth.month.1", f"bench/{subscription}")

        alone = _timed(lambda: _all(upgrade, signed[:changes]))
        running.settle()
        whole = _timed(lambda: (_all(upgrade, signed[-changes:]), running.settle()))
        found = running.rows("ledger")[0]
    assert found["invoices"] == tenants + 2 * changes, found
    return {
        "name": f"payment_path {tenants}, changes/s",
        "ours": round(changes / whole, 1),
        "reference": round(changes / alone, 1),
        "ratio": alone / whole,
        "goal": "told",
        "detail": f"{changes} upgrades, each charged, here by webhook after {whole:.1f} s in all",
    }


def _sign_up(running: world.World, tenants: int, clock: str) -> list[str]:
    """Subscriptions, one a tenant."""
    made: list[str] = []

    def sign_up(tenant: str) -> str:
        return running.provider.sign_up(
            tenant, "starter.month.1", "pm_card_visa", tenant, clock=clock
        )[1]

    names = [str(uuid.uuid4()) for _ in range(tenants)]
    for name in names:
        named = {"tenant": name, "name": "Acme"}
        running.connection.execute(running.queries["new_tenant"], named)
    made.extend(_all(sign_up, names))
    return made


def _all(act: Callable[[str], Any], of: list[str]) -> list[Any]:
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(act, of))


def _timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _signed(number: int) -> _Signed:
    """Bodies as large as a subscription's, and their headers."""
    told = {"object": "subscription", "customer": "cus_1", "metadata": {"filler": "x" * 1500}}
    bodies = [
        json.dumps(
            {
                "id": f"evt_{secrets.token_hex(8)}",
                "object": "event",
                "type": "customer.subscription.updated",
                "created": START,
                "data": {"object": told},
            }
        )
        for _ in range(number)
    ]
    return [(body, signature(body, _SECRET)) for body in bodies]


def _rate(act: Callable[[_Signed], object], events: _Signed) -> float:
    return len(events) / _timed(lambda: act(events))


def _bare(connection: psycopg.Connection, events: _Signed) -> None:
    """Verified, and one insert each."""
    insert = sql.queries("neighbours/payments/queries.sql")["bare_insert"]
    for body, header in events:
        connection.execute(
            insert, [json.loads(receiver.verified(body.encode(), header, _SECRET))["id"], body]
        )


def _handle(connection: psycopg.Connection, events: _Signed) -> None:
    """As the receiver does, one at a time."""
    for body, header in events:
        receiver.store(connection, [receiver.verified(body.encode(), header, _SECRET)])


@contextmanager
def _receiver(database: Database) -> Iterator[int]:
    with services.running(
        settings.load(),
        "oltp_lab.neighbours.payments.receiver",
        environment={**database.environment("lab_platform"), "STRIPE_WEBHOOK_SECRET": _SECRET},
    ) as (_, about):
        yield about["port"]


def _post(port: int, events: _Signed) -> None:
    """From a number of connections at once, by a process of its own, so as not to be the limit."""
    command = [sys.executable, "-m", "oltp_lab_tests.benchmarks._post", str(port), str(_LINKS)]
    given = "\n".join(json.dumps(event) for event in events)
    done = subprocess.run(
        command, input=given, text=True, check=True, capture_output=True, timeout=120
    )
    assert done.stdout.split()[0] == str(len(events)), done.stdout
