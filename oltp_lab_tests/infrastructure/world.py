"""Tenants, domains, accounts, servers and addresses for the tests, made by the real operations."""

import itertools
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any, LiteralString

import psycopg
from psycopg import sql as pg
from psycopg.rows import dict_row, tuple_row
from psycopg.types.json import Jsonb

from oltp_lab.servers import Database

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
DAY = timedelta(days=1)
KEY = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A"


@dataclass
class World:
    """A database and the platform's session on it (autocommit)."""

    database: Database
    platform: psycopg.Connection
    _number: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def rows(self, statement: LiteralString, *parameters: Any) -> list[dict[str, Any]]:
        with self.platform.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(statement, parameters).fetchall()

    def value(self, statement: LiteralString, *parameters: Any) -> Any:
        with self.platform.cursor(row_factory=tuple_row) as cursor:
            (found,) = cursor.execute(statement, parameters).fetchone() or (None,)
            return found

    def run(self, statement: LiteralString, *parameters: Any) -> None:
        self.platform.execute(statement, parameters)

    def insert(self, table: str, **columns: Any) -> uuid.UUID:
        """Add a row of infrastructure; its id."""
        statement = pg.SQL("insert into infrastructure.{} ({}) values ({}) returning id").format(
            pg.Identifier(table),
            pg.SQL(", ").join(map(pg.Identifier, columns)),
            pg.SQL(", ").join(pg.Placeholder() * len(columns)),
        )
        with self.platform.cursor(row_factory=tuple_row) as cursor:
            (key,) = cursor.execute(statement, list(columns.values())).fetchone() or (None,)
        assert isinstance(key, uuid.UUID)
        return key

    def update(self, table: str, key: uuid.UUID, **columns: Any) -> None:
        statement = pg.SQL("update infrastructure.{} set {} where id = %s").format(
            pg.Identifier(table),
            pg.SQL(", ").join(pg.SQL("{} = %s").format(pg.Identifier(c)) for c in columns),
        )
        self.platform.execute(statement, [*columns.values(), key])

    def get(self, table: str, key: uuid.UUID) -> dict[str, Any]:
        statement = pg.SQL("select * from infrastructure.{} where id = %s")
        with self.platform.cursor(row_factory=dict_row) as cursor:
            found = cursor.execute(statement.format(pg.Identifier(table)), [key]).fetchone()
        assert found is not None
        return found

    def call(self, function: str, *arguments: Any) -> dict[str, Any]:
        """The one row that an operation returns."""
        (row,) = call(self.platform, function, *arguments)
        return row

    def tenant(self, plan: str = "scale") -> uuid.UUID:
        tenant = self.value(
            "insert into public.tenants (name, status) values ('Acme', 'active') returning id"
        )
        self.run("select billing.create_subscription(%s, %s, at => %s)", tenant, plan, NOW)
        return tenant

    def domain(self, tenant: uuid.UUID, name: str | None = None, *, verified: bool = True) -> Any:
        name = name or f"acme{next(self._number)}.example"
        domain = self.call("add_domain", tenant, name, KEY, NOW)["domain_id"]
        if verified:
            assert self.answer(tenant, domain, self.good(domain))["status"] == "verified"
        return domain

    def good(self, domain: uuid.UUID) -> dict[str, list[str]]:
        """The answers of a DNS that publishes all that is expected."""
        found = self.rows(
            "select kind, expected from infrastructure.dns_records where domain_id = %s", domain
        )
        return {row["kind"]: [row["expected"]] for row in found}

    def answer(
        self,
        tenant: uuid.UUID,
        domain: uuid.UUID,
        answers: dict[str, list[str]],
        at: datetime = NOW,
    ) -> dict[str, Any]:
        """Report DNS answers."""
        told = Jsonb([{"kind": kind, "values": values} for kind, values in answers.items()])
        return self.call("record_dns_checks", tenant, domain, told, at)

    def account(self, tenant: uuid.UUID, domain: uuid.UUID, **columns: Any) -> uuid.UUID:
        made = self.call(
            "create_email_account", tenant, domain, f"box{next(self._number)}", "smtp", 50,
            timedelta(minutes=10), NOW,
        )  # fmt: skip
        assert made["refusal"] is None
        if columns:
            self.update("email_accounts", made["email_account_id"], **columns)
        return made["email_account_id"]

    def instance(self, cents: int | None = None) -> uuid.UUID:
        """An active server, paid with so many cents for the thirty days from NOW."""
        n = next(self._number)
        instance = self.insert(
            "vps_instances", name=f"mta{n}", provider="hetzner", region="eu", status="active"
        )
        if cents is not None:
            self.insert(
                "costs", vps_instance_id=instance, starts_on=NOW.date(),
                ends_on=NOW.date() + 30 * DAY, cents=cents,
            )  # fmt: skip
        return instance

    def address(self, instance: uuid.UUID, **columns: Any) -> uuid.UUID:
        n = next(self._number)
        return self.insert(
            "smtp_ips",
            **{
                "vps_instance_id": instance,
                "address": f"10.0.{n // 256}.{n % 256}",
                "created_at": NOW,
                **columns,
            },
        )

    def sender(self, **columns: Any) -> tuple[uuid.UUID, uuid.UUID, uuid.UUID]:
        """A tenant with one account and one warm address: the three."""
        tenant = self.tenant()
        account = self.account(tenant, self.domain(tenant), **columns)
        address = self.address(self.instance(), **warm(NOW))
        assert (
            self.value("select infrastructure.assign_smtp_ip(%s, %s, %s)", tenant, address, NOW)
            is None
        )
        return tenant, account, address

    def sends(self, tenant: uuid.UUID, account: uuid.UUID, address: Any, **columns: Any) -> None:
        """A day's counts."""
        self.insert(
            "daily_sends",
            **{
                "tenant_id": tenant, "email_account_id": account, "smtp_ip_id": address,
                "day": NOW.date(), **columns,
            },
        )  # fmt: skip

    def drain(self, tenant: uuid.UUID, at: datetime) -> tuple[list[dict[str, Any]], str]:
        """Every slot that there is at this instant, and the refusal that ends them."""
        slots = []
        with self.platform.transaction():
            while not (slot := self.call("take_send_slot", tenant, at))["refusal"]:
                slots.append(slot)
        return slots, slot["refusal"]

    def race(self, sessions: int, work: Callable[[psycopg.Connection, int], Any]) -> list[Any]:
        """Run ``work(connection, n)`` in that many sessions at once; what each returned."""
        barrier = Barrier(sessions)

        def session(n: int) -> Any:
            with self.database.connect("lab_platform") as connection:
                barrier.wait(timeout=30)
                return work(connection, n)

        with ThreadPoolExecutor(sessions) as pool:
            return list(pool.map(session, range(sessions), timeout=60))


def call(
    connection: psycopg.Connection, function: str, *arguments: Any
) -> Sequence[dict[str, Any]]:
    """The rows that an operation returns."""
    statement = pg.SQL("select * from infrastructure.{}({})").format(
        pg.Identifier(function), pg.SQL(", ").join(pg.Placeholder() * len(arguments))
    )
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement, arguments).fetchall()


def warm(since: datetime) -> dict[str, Any]:
    """The columns of what has left its warm-up curve behind and sent the day before."""
    return {"warmup_day": 100, "last_sent_at": since - DAY}
