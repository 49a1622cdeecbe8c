"""Users and tenants as tests make them, through the operations and the roles that call them."""

import itertools
import threading
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, LiteralString

import psycopg
from psycopg import sql as pg

from oltp_lab.servers import Database

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
_numbers = itertools.count(1)


def call(connection: psycopg.Connection, function: str, *arguments: object) -> Any:
    """The value of a function of the schema tenancy."""
    query = pg.SQL("select {}({})").format(
        pg.Identifier("tenancy", function), pg.SQL(", ").join(pg.Placeholder() for _ in arguments)
    )
    (value,) = connection.execute(query, arguments).fetchone() or (None,)
    return value


def table(connection: psycopg.Connection, function: str, *arguments: object) -> list[tuple]:
    """The rows of a function of the schema tenancy."""
    query = pg.SQL("select * from {}({})").format(
        pg.Identifier("tenancy", function), pg.SQL(", ").join(pg.Placeholder() for _ in arguments)
    )
    return connection.execute(query, arguments).fetchall()


def unique(prefix: str) -> str:
    """A word that no other test uses."""
    return f"{prefix}{next(_numbers)}"


@dataclass
class World:
    """A database, with sessions of the platform and of log-in (both autocommit)."""

    database: Database
    platform: psycopg.Connection
    auth: psycopg.Connection

    def user(self) -> uuid.UUID:
        return call(self.auth, "create_user", f"{unique('user')}@acme.example", "Ada")

    def address(self, user: uuid.UUID) -> str:
        return self.value("select email from users.users where id = %s", user)

    def tenant(self, owner: uuid.UUID, status: str = "active") -> uuid.UUID:
        tenant = call(self.auth, "create_tenant", unique("Acme "), owner)
        if status != "created":
            call(self.platform, "activate_tenant", tenant)
        if status in ("suspended", "deleted"):
            call(self.platform, "set_status", tenant, status)
        return tenant

    def join(self, tenant: uuid.UUID, *roles: str) -> uuid.UUID:
        """A new user who belongs to the tenant with these roles."""
        user = self.user()
        self.platform.execute(
            "insert into users.tenant_users (tenant_id, user_id, roles) values (%s, %s, %s)",
            [tenant, user, list(roles)],
        )
        return user

    def invite(self, tenant: uuid.UUID, inviter: uuid.UUID, user: uuid.UUID, *roles: str) -> str:
        """The secret of an invite for a user's address."""
        secret = unique("secret")
        arguments = [tenant, inviter, self.address(user), list(roles) or ["member"], secret, NOW]
        call(self.auth, "invite", *arguments)
        return secret

    def roles(self, tenant: uuid.UUID) -> dict[uuid.UUID, list[str]]:
        return dict(
            self.platform.execute(
                "select user_id, roles from users.tenant_users where tenant_id = %s", [tenant]
            ).fetchall()
        )

    def value(self, query: LiteralString, *parameters: object) -> Any:
        (value,) = self.platform.execute(query, parameters).fetchone() or (None,)
        return value

    def race(
        self, role: str, sessions: Sequence[Callable[[psycopg.Connection], object]]
    ) -> list[str]:
        """What became of calls that began at once: ok, or the SQLSTATE; in order of the word."""
        barrier = threading.Barrier(len(sessions))

        def run(act: Callable[[psycopg.Connection], object]) -> str:
            with self.database.connect(role, autocommit=True) as connection:
                connection.execute("set statement_timeout = '20s'")
                barrier.wait()
                try:
                    act(connection)
                except psycopg.Error as error:
                    return error.sqlstate or str(error)
                return "ok"

        with ThreadPoolExecutor(len(sessions)) as pool:
            return sorted(pool.map(run, sessions))
