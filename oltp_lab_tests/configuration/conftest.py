"""One database for all tests here; each has a tenant of its own, and flags and settings too."""

import itertools
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import sql as pg

from oltp_lab.servers import Database, databases

_numbers = itertools.count(1)


@dataclass
class Tenant:
    """A tenant with an owner and a member, acted upon by the platform (autocommit)."""

    database: Database
    platform: psycopg.Connection
    id: uuid.UUID
    owner: uuid.UUID
    member: uuid.UUID

    def call(self, function: str, *arguments: object) -> Any:
        """An operation of the schema configuration for this tenant, as the platform."""
        return call(self.platform, function, self.id, *arguments)

    def app(self) -> psycopg.Connection:
        """A session of the application in this tenant (autocommit)."""
        connection = self.database.connect("lab_app", autocommit=True)
        connection.execute("select set_config('nile.tenant_id', %s, false)", [str(self.id)])
        return connection

    def insert(self, query: LiteralString, *values: object) -> uuid.UUID:
        """Insert a row of this tenant (its first value) as the platform; returns its key."""
        (key,) = self.platform.execute(query, [self.id, *values]).fetchone() or (None,)
        assert isinstance(key, uuid.UUID)
        return key

    def subscribe(self, plan: str) -> None:
        """A trial of a plan."""
        self.platform.execute("select billing.create_subscription(%s, %s)", [self.id, plan])


def call(connection: psycopg.Connection, function: str, *arguments: object) -> Any:
    """The value of a function of the schema configuration."""
    query = pg.SQL("select {}({})").format(
        pg.Identifier("configuration", function),
        pg.SQL(", ").join(pg.Placeholder() for _ in arguments),
    )
    (value,) = connection.execute(query, arguments).fetchone() or (None,)
    return value


def unique(prefix: str) -> str:
    """A key that no other test uses."""
    return f"{prefix}_{next(_numbers)}"


@pytest.fixture(scope="package")
def shared(schema_template: Database) -> Iterator[Database]:
    """The schema without rows, for all tests of this package."""
    with databases.temporary(schema_template, schema_template) as clone:
        yield clone


@pytest.fixture
def platform(shared: Database) -> Iterator[psycopg.Connection]:
    with shared.connect("lab_platform", autocommit=True) as connection:
        yield connection


def make_tenant(database: Database, platform: psycopg.Connection) -> Tenant:
    tenant = Tenant(database, platform, uuid.uuid4(), uuid.uuid4(), uuid.uuid4())
    platform.execute(
        "insert into public.tenants (id, name, status) values (%s, 'Acme', 'active')", [tenant.id]
    )
    for user, role in ((tenant.owner, "owner"), (tenant.member, "member")):
        platform.execute(
            "insert into users.tenant_users (tenant_id, user_id, roles) values (%s, %s, %s)",
            [tenant.id, user, [role]],
        )
    return tenant


@pytest.fixture
def tenant(shared: Database, platform: psycopg.Connection) -> Tenant:
    return make_tenant(shared, platform)


@pytest.fixture
def other(shared: Database, platform: psycopg.Connection) -> Tenant:
    return make_tenant(shared, platform)
