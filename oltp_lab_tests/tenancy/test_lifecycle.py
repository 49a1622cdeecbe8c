"""The lifecycle of tenants, and what changes leave behind for the warehouse."""

import uuid
from itertools import product
from typing import LiteralString

import psycopg
import pytest

from oltp_lab.servers import Database
from oltp_lab_tests.tenancy.world import World, call

STATUSES = ("created", "active", "suspended", "deleted")
ALLOWED = {
    ("created", "active"),
    ("created", "deleted"),
    ("active", "suspended"),
    ("active", "deleted"),
    ("suspended", "active"),
    ("suspended", "deleted"),
}


@pytest.fixture
def platform(shared: Database):
    with shared.connect("lab_platform") as connection:
        yield connection


def _value(connection: psycopg.Connection, query: LiteralString, *parameters: object) -> object:
    """The one value that a query returns."""
    row = connection.execute(query, parameters).fetchone()
    assert row
    return row[0]


def _tenant(platform: psycopg.Connection, status: str = "active") -> uuid.UUID:
    tenant = uuid.uuid4()
    platform.execute(
        "insert into public.tenants (id, name, status, deleted) values (%s, 'Acme', %s, %s)",
        [tenant, status, "2026-01-01" if status == "deleted" else None],
    )
    return tenant


@pytest.mark.parametrize(("before", "after"), list(product(STATUSES, STATUSES)))
def test_lifecycle(platform: psycopg.Connection, before: str, after: str) -> None:
    tenant = _tenant(platform, before)
    if (before, after) in ALLOWED:
        platform.execute("select tenancy.set_status(%s, %s)", [tenant, after])
        row = platform.execute(
            "select status, suspended_at is not null, deleted is not null"
            " from public.tenants where id = %s",
            [tenant],
        ).fetchone()
        assert row == (after, after == "suspended", after == "deleted")
    else:
        refusal = f"from {before} to {after}|is {after} already"
        with pytest.raises(psycopg.errors.CheckViolation, match=refusal):
            platform.execute("select tenancy.set_status(%s, %s)", [tenant, after])


def test_an_unknown_tenant_raises_as_on_nile(platform: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="does not exist"):
        platform.execute("select tenancy.suspend_tenant(%s)", [uuid.uuid4()])


def test_a_user_creates_a_tenant_and_belongs_to_it(
    shared: Database, platform: psycopg.Connection
) -> None:
    user = uuid.uuid4()
    platform.execute("insert into users.users (id, email) values (%s, 'ada@acme.example')", [user])
    platform.commit()
    with shared.connect("lab_auth") as auth:
        tenant = _value(auth, "select tenancy.create_tenant('Acme', %s)", user)
        assert auth.execute("select id, status from public.tenants").fetchall() == [
            (tenant, "created")
        ]
        auth.execute("select lab.enter_tenant(null, %s)", [uuid.uuid4()])
        assert auth.execute("select id from public.tenants").fetchall() == []
    with shared.connect("lab_app") as app:
        app.execute("select lab.enter_tenant(%s)", [tenant])
        assert app.execute("select email from users.users").fetchall() == [("ada@acme.example",)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("update public.tenants set name = 'Mine'")


def test_the_context_ends_with_the_transaction(
    shared: Database, platform: psycopg.Connection
) -> None:
    tenant = _tenant(platform)
    platform.commit()
    with shared.connect("lab_app") as app:
        app.execute("select lab.enter_tenant(%s)", [tenant])
        assert app.execute("select id from public.tenants").fetchall() == [(tenant,)]
        app.commit()
        assert app.execute("select id from public.tenants").fetchall() == []


def test_writes_are_stamped_with_the_top_level_transaction(platform: psycopg.Connection) -> None:
    tenant = _tenant(platform)
    with platform.transaction():  # a savepoint
        platform.execute(
            "insert into campaigns.leads (tenant_id, email, change_xid)"
            " values (%s, 'A@b.example', 7)",
            [tenant],
        )
    row = platform.execute(
        "select email_norm, change_xid = pg_current_xact_id()::text::bigint from campaigns.leads"
        " where tenant_id = %s",
        [tenant],
    ).fetchone()
    assert row == ("a@b.example", True)


def test_deletes_leave_tombstones_that_the_application_cannot_forge(
    shared: Database, platform: psycopg.Connection
) -> None:
    tenant = _tenant(platform)
    platform.commit()
    with shared.connect("lab_app") as app:
        app.execute("select lab.enter_tenant(%s)", [tenant])
        lead = _value(
            app,
            "insert into campaigns.leads (tenant_id, email) values (%s, 'a@b.example')"
            " returning id",
            tenant,
        )
        app.execute("delete from campaigns.leads where tenant_id = %s", [tenant])
        app.commit()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute(
                "insert into integration.tombstones (tenant_id, table_name, row_id)"
                " values (%s, 'x', %s)",
                [tenant, lead],
            )
    found = platform.execute(
        "select tenant_id, table_name, row_id from integration.tombstones where tenant_id = %s",
        [tenant],
    ).fetchall()
    assert found == [(tenant, "campaigns.leads", lead)]


def test_stamped_updates_stay_hot(database: Database) -> None:
    with database.connect("lab_platform", autocommit=True) as platform:
        tenant = _tenant(platform)
        platform.execute(
            "insert into campaigns.leads (tenant_id, email) values (%s, 'a@b.example')", [tenant]
        )
        for _ in range(3):
            platform.execute(
                "update campaigns.leads set first_name = 'Ada' where tenant_id = %s", [tenant]
            )
        platform.execute("select pg_stat_force_next_flush()")
    with database.connect() as administrator:
        found = administrator.execute(
            "select n_tup_upd, n_tup_hot_upd from pg_stat_user_tables"
            " where relid = 'campaigns.leads'::regclass"
        ).fetchone()
    assert found == (3, 3)


def test_a_status_is_reached_once_in_a_race(world: World) -> None:
    for status in ("suspended", "deleted"):
        tenant = world.tenant(world.user())
        outcomes = world.race("lab_platform", [lambda c: call(c, "set_status", tenant, status)] * 3)  # noqa: B023
        assert outcomes == ["23514", "23514", "ok"]


def test_only_the_platform_moves_a_tenant(world: World) -> None:
    owner = world.user()
    tenant = world.tenant(owner)
    for role in ("lab_app", "lab_auth"):
        with world.database.connect(role, autocommit=True) as connection:
            connection.execute("select set_config('nile.tenant_id', %s, false)", [str(tenant)])
            for statement in (
                f"select tenancy.suspend_tenant('{tenant}')",
                "update public.tenants set status = 'suspended'",
                "delete from public.tenants",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(statement)  # type: ignore[arg-type]


def test_nobody_unknown_creates_a_tenant(world: World) -> None:
    gone = world.user()
    world.platform.execute("update users.users set deleted = now() where id = %s", [gone])
    for user in (gone, uuid.uuid4()):
        with pytest.raises(psycopg.errors.ForeignKeyViolation, match="does not exist"):
            call(world.auth, "create_tenant", "Acme", user)
