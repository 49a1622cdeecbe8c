"""Provider, receiver and client, running: the loopback one, or an account at Stripe."""

import json
import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

import psycopg
import requests
from psycopg import sql as pg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from oltp_lab import sql
from oltp_lab.neighbours import services
from oltp_lab.neighbours.payments import processor, receiver
from oltp_lab.neighbours.payments.client import Provider
from oltp_lab.neighbours.payments.provider.deliveries import Faults
from oltp_lab.servers import Database
from oltp_lab.settings import Settings

_QUIET_S = 300.0


def breaches(connection: psycopg.Connection) -> list[Any]:
    """What the check of money finds, but where Stripe's rules are others than the lab's own.

    It credits time of an invoice that was never paid, which the lab does not.
    """
    found = pg.SQL("select * from ({}) as f where breach <> {}").format(
        pg.SQL(sql.read("sample_data/checks/billing_money.sql")),
        pg.Literal("more credit was given for an item than it was charged"),
    )
    return connection.execute(found).fetchall()


@dataclass
class World:
    """What payments need; ``connection`` is an autocommit session of lab_platform.

    ``deliveries`` is where the loopback provider tells of its webhooks; ``None``: it is Stripe,
    which cannot reach us, and whose events are asked for: those of the customers of ``clock``.
    """

    database: Database
    provider: Provider
    connection: psycopg.Connection
    deliveries: str | None = None
    webhooks: str | None = None
    secret: str = field(default="", repr=False)
    clock: str = ""

    @cached_property
    def queries(self) -> dict[str, Any]:
        return sql.queries("neighbours/payments/queries.sql")

    def rows(self, name: str, **values: Any) -> list[dict[str, Any]]:
        """Of a named query."""
        with self.connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(self.queries[name], values or None).fetchall()

    def differences(self, tenant: str, told: dict[str, Any]) -> list[str]:
        """Where a tenant is otherwise here than the provider tells."""
        asked = {"told": Jsonb(told), "tenant": tenant}
        return [told for (told,) in self.connection.execute(self.queries["differences"], asked)]

    def breaches(self) -> list[Any]:
        """Rows that break the check of money that the sample data must pass too."""
        return breaches(self.connection)

    def delivered(self) -> dict[str, int]:
        """What the loopback provider says of its deliveries."""
        return requests.get(self.deliveries, timeout=10).json() if self.deliveries else {}

    def process(self, at: datetime | None = None) -> int:
        """A batch of what is due in the inbox, now or at another time."""
        fetch, tenant_of = self.provider.state, self.provider.tenant_of
        return processor.process(self.connection, fetch, tenant_of, at=at)

    def settle(self) -> None:
        """Until every event has come and is worked off, or five minutes have passed."""
        deadline = time.monotonic() + _QUIET_S
        if not self.deliveries:
            told = self.provider.events(self.clock)
            receiver.store(self.connection, [json.dumps(e) for e in told])
        while time.monotonic() < deadline:
            if self.delivered().get("pending"):
                time.sleep(0.05)
            elif not self.process():
                return


@contextmanager
def running(
    settings: Settings, database: Database, faults: Faults, *, seed: int = 1, real: bool = False
) -> Iterator[World]:
    """All of it, for the block. Raises LabError when something does not start."""
    key = settings.stripe_api_key if real else None
    with ExitStack() as stack:
        session = stack.enter_context(database.connect("lab_platform", autocommit=True))
        if key:
            yield World(database, Provider.connect(key), session)
            return
        key, secret = f"sk_test_{secrets.token_hex(16)}", f"whsec_{secrets.token_hex(16)}"
        hidden = {"STRIPE_WEBHOOK_SECRET": secret}

        told = json.dumps(asdict(faults) | {"seed": seed})
        _, about = stack.enter_context(
            services.running(
                settings, "oltp_lab.neighbours.payments.provider", told,
                environment={**hidden, "STRIPE_API_KEY": key},
            )
        )  # fmt: skip
        _, inbox = stack.enter_context(
            services.running(
                settings, "oltp_lab.neighbours.payments.receiver",
                environment={**database.environment("lab_platform"), **hidden},
            )
        )  # fmt: skip
        place = f"http://{services.HOST}:{about['port']}"
        late = faults.late_answer_s * 0.4 if faults.late_answers else 20.0
        provider = Provider.connect(key, place, timeout=late)
        webhooks = f"http://{services.HOST}:{inbox['port']}{receiver.PATH}"
        provider.client.v1.webhook_endpoints.create({"url": webhooks, "enabled_events": ["*"]})
        yield World(database, provider, session, f"{place}/deliveries", webhooks, secret)
