"""A tenant whose billing runs on a clock of its own, and what must always balance."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql as pg
from psycopg.rows import dict_row

from oltp_lab import sql
from oltp_lab.servers import Database, databases

START = datetime(2026, 1, 31, 10, 0, tzinfo=UTC)


def call(connection: psycopg.Connection, function: str, *arguments: object, **named: object) -> Any:
    """The result of a function of the schema billing: a value, a row (dict) or rows (list)."""
    given = [pg.Placeholder() for _ in arguments]
    given += [pg.SQL("{} => {}").format(pg.Identifier(n), pg.Placeholder()) for n in named]
    query = pg.SQL("select * from {}({})").format(
        pg.Identifier("billing", function), pg.SQL(", ").join(given)
    )
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(query, [*arguments, *named.values()]).fetchall()
    return [row[function] if set(row) == {function} else row for row in rows]


@dataclass
class Account:
    """One tenant, acted upon by lab_platform at ``now``."""

    connection: psycopg.Connection
    tenant: uuid.UUID
    now: datetime = START

    def do(self, function: str, *arguments: object, **named: object) -> Any:
        """Call an operation for the tenant, now; its only row."""
        (row,) = call(self.connection, function, self.tenant, *arguments, at=self.now, **named)
        return row

    def rows(self, query: str, *parameters: object) -> list[dict[str, Any]]:
        """Rows of a query about the tenant, whose id is its first parameter."""
        with self.connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query, [self.tenant, *parameters]).fetchall()  # type: ignore[arg-type]

    def execute(self, statement: str, *parameters: object) -> None:
        """Write to the tables by hand; the tenant's id is the last parameter."""
        self.connection.execute(statement, [*parameters, self.tenant])  # type: ignore[arg-type]

    def later(self, **duration: float) -> None:
        """Let time pass, without anybody doing anything."""
        self.now += timedelta(**duration)

    @property
    def subscription(self) -> dict[str, Any]:
        """The newest subscription."""
        return self.rows(
            "select * from billing.subscriptions where tenant_id = %s"
            " order by started_at desc, id desc limit 1"
        )[0]

    @property
    def status(self) -> str:
        return self.subscription["status"]

    @property
    def invoices(self) -> list[dict[str, Any]]:
        return self.rows("select * from billing.invoices where tenant_id = %s order by number")

    def lines(self, invoice: object) -> list[tuple[str, int]]:
        """(kind, cents) of an invoice's lines."""
        return [
            (row["kind"], row["amount_cents"])
            for row in self.rows(
                "select kind, amount_cents from billing.invoice_lines"
                " where tenant_id = %s and invoice_id = %s order by amount_cents",
                invoice,
            )
        ]

    def retire(self) -> None:
        """Nothing of it is due any more, so that the workers of other tests pass it by."""
        for statement in (
            "update billing.subscriptions set period_end = 'infinity' where tenant_id = %s",
            "update billing.invoices set next_attempt_at = null where tenant_id = %s",
            "delete from billing.webhook_events where owner_tenant_id = %s",
        ):
            self.execute(statement)

    def breaches(self) -> list[Any]:
        """What the checks of billing find wrong with this tenant; nothing when all balances."""
        found = []
        for file in sql.files("sample_data/checks", "billing_*.sql"):
            check = pg.SQL("select * from ({}) as found where tenant_id = %s").format(
                pg.SQL(sql.read(file))
            )
            found += self.connection.execute(check, [self.tenant]).fetchall()
        return found

    def advance(self) -> list[str]:
        """What the worker finds due for this tenant."""
        done = call(self.connection, "advance_subscriptions", 1000, at=self.now)
        return [row["outcome"] for row in done if row["tenant_id"] == self.tenant]

    def claim(self) -> list[dict[str, Any]]:
        claimed = call(self.connection, "claim_payments", 1000, at=self.now)
        return [row for row in claimed if row["tenant_id"] == self.tenant]

    def pay(self, succeeded: bool = True) -> int:
        """Charge what is due for this tenant, with this result; returns how many."""
        claimed = self.claim()
        for row in claimed:
            self.do("finish_payment", row["attempt_id"], succeeded)
        return len(claimed)


@pytest.fixture(scope="package")
def ledger(schema_template: Database) -> Iterator[Database]:
    """The schema without rows, for all tests of billing: each has a tenant of its own in it."""
    with databases.temporary(schema_template, schema_template) as clone:
        yield clone


@pytest.fixture
def platform(ledger: Database) -> Iterator[psycopg.Connection]:
    """An autocommit session of lab_platform."""
    with ledger.connect("lab_platform", autocommit=True) as connection:
        yield connection


def make_account(connection: psycopg.Connection) -> Account:
    """A new tenant without a subscription."""
    tenant = uuid.uuid4()
    connection.execute(
        "insert into public.tenants (id, name, status) values (%s, 'Acme', 'active')", [tenant]
    )
    return Account(connection, tenant)


@pytest.fixture
def account(platform: psycopg.Connection) -> Iterator[Account]:
    """A tenant without a subscription."""
    account = make_account(platform)
    yield account
    account.retire()


@pytest.fixture
def subscriber(account: Account) -> Account:
    """A tenant that has paid for its first month of growth."""
    subscribe(account, "growth")
    return account


def subscribe(account: Account, plan: str, **options: object) -> Account:
    """Subscribe without a trial, and pay."""
    options = {"new_payment_method": "pm_card", "with_trial": False, **options}
    account.do("create_subscription", plan, **options)
    account.pay()
    assert account.status == "active"
    return account
