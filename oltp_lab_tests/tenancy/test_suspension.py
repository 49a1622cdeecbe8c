"""A suspended or deleted tenant reads and does not write, however its context was set."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import sql as pg

from oltp_lab.servers import Database
from oltp_lab_tests.tenancy.world import World, call

LEAD = "insert into campaigns.leads (tenant_id, email) values (%(tenant)s, %(email)s)"
RENAME = "update campaigns.leads set first_name = 'Ada' where tenant_id = %(tenant)s"
REMOVE = "delete from campaigns.leads where tenant_id = %(tenant)s"
UPSERT = f"""{LEAD.replace("%(email)s", "'a@b.example'")}
    on conflict (tenant_id, email_norm) do update set first_name = 'Ada'"""
REFUSED = "tenant_may_(insert|update)"


@contextmanager
def _inside(
    world: World, tenant: uuid.UUID, *, by_hand: bool = False
) -> Iterator[psycopg.Connection]:
    """A transaction of the application in a tenant's context."""
    with world.database.connect("lab_app") as app:
        if by_hand:
            app.execute("select set_config('nile.tenant_id', %s, false)", [str(tenant)])
        else:
            app.execute("select lab.enter_tenant(%s)", [tenant])
        yield app


def _do(
    app: psycopg.Connection, statement: str, tenant: uuid.UUID, email: str = "x@b.example"
) -> int:
    return app.execute(statement, {"tenant": tenant, "email": email}).rowcount  # type: ignore[arg-type]


def _leads(app: psycopg.Connection) -> list[tuple]:
    return app.execute("select email, first_name from campaigns.leads order by email").fetchall()


@pytest.fixture
def tenant(world: World) -> uuid.UUID:
    made = world.tenant(world.user())
    with _inside(world, made) as app:
        _do(app, LEAD, made, "a@b.example")
    return made


@pytest.mark.parametrize("by_hand", [False, True])
@pytest.mark.parametrize("status", ["suspended", "deleted"])
def test_it_reads_and_does_not_write(
    world: World, tenant: uuid.UUID, status: str, by_hand: bool
) -> None:
    call(world.platform, "set_status", tenant, status)
    with _inside(world, tenant, by_hand=by_hand) as app:
        assert _leads(app) == [("a@b.example", None)]
        app.execute("select from campaigns.leads for update")
        for statement in (LEAD, RENAME, UPSERT):
            with (
                pytest.raises(psycopg.errors.InsufficientPrivilege, match=REFUSED),
                app.transaction(),
            ):
                _do(app, statement, tenant)
        assert _do(app, REMOVE, tenant) == 0
        assert _leads(app) == [("a@b.example", None)]


def test_it_writes_again_when_it_is_active_again(world: World, tenant: uuid.UUID) -> None:
    call(world.platform, "suspend_tenant", tenant)
    call(world.platform, "activate_tenant", tenant)
    with _inside(world, tenant) as app:
        assert [_do(app, statement, tenant) for statement in (LEAD, UPSERT, RENAME, REMOVE)] == [
            1, 1, 2, 2,
        ]  # fmt: skip


def test_a_new_tenant_writes(world: World) -> None:
    created = world.tenant(world.user(), "created")
    with _inside(world, created) as app:
        assert _do(app, LEAD, created) == 1


def test_a_suspended_tenant_disturbs_no_other(world: World, tenant: uuid.UUID) -> None:
    other = world.tenant(world.user())
    call(world.platform, "suspend_tenant", tenant)
    with _inside(world, other) as app:
        assert _do(app, LEAD, other) == 1
        app.execute("select lab.enter_tenant(%s)", [tenant])
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match=REFUSED):
            _do(app, LEAD, tenant)


def test_a_statement_does_not_change_into_it_on_its_way(world: World, tenant: uuid.UUID) -> None:
    """The look-up is made once a statement, by then in the context of a tenant that may write."""
    active = world.tenant(world.user())
    call(world.platform, "suspend_tenant", tenant)
    switching = """
        insert into campaigns.leads (tenant_id, email)
        select set_config('nile.tenant_id', t, true)::uuid, 'y@b.example'
        from unnest(array[%(active)s, %(tenant)s]::text[]) as t
    """
    with (
        world.database.connect("lab_app") as app,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match=REFUSED),
    ):
        app.execute("select lab.enter_tenant(%s)", [active])
        app.execute(switching, {"active": str(active), "tenant": str(tenant)})

    with _inside(world, active) as app:
        _do(app, LEAD, active)
        app.execute(
            "delete from campaigns.leads where set_config('nile.tenant_id', %s, true) is not null",
            [str(tenant)],
        )
    assert world.value("select count(*) from campaigns.leads where tenant_id = %s", tenant) == 1


# What the application may write, and whether suspension refuses it.
COVERED = """
select c.oid::regclass::text, t.attname is not null, bool_and(p.polname is not null)
from pg_class c
cross join (values ('a', 'insert'), ('w', 'update'), ('d', 'delete')) as may (command, privilege)
left join pg_attribute t on t.attrelid = c.oid and t.attname = 'tenant_id'
left join pg_policy p on p.polrelid = c.oid and not p.polpermissive
                     and p.polcmd::text = may.command
                     and p.polroles = array['lab_app'::regrole::oid]
where c.relkind in ('r', 'p') and c.relnamespace::regnamespace::text !~ '^(pg_|information_)'
  and case may.privilege
      when 'delete' then has_table_privilege('lab_app', c.oid, 'delete')
      else has_any_column_privilege('lab_app', c.oid, may.privilege) end
group by 1, 2
"""


def test_every_table_that_the_application_writes_is_covered(shared: Database) -> None:
    with shared.connect() as connection:
        rows = connection.execute(COVERED).fetchall()
    assert len(rows) > 15
    assert [table for table, of_tenant, covered in rows if not (of_tenant and covered)] == []


def test_without_the_policies_it_would_write(database: Database) -> None:
    """The negative control."""
    tenant = uuid.uuid4()
    with database.connect() as administrator, database.connect("lab_platform") as platform:
        platform.execute(
            "insert into public.tenants (id, status, suspended_at) values (%s, 'suspended', now())",
            [tenant],
        )
        for command in ("insert", "update", "delete"):
            name = pg.Identifier(f"tenant_may_{command}")
            administrator.execute(pg.SQL("drop policy {} on campaigns.leads").format(name))
    with database.connect("lab_app") as app:
        app.execute("select lab.enter_tenant(%s)", [tenant])
        assert [_do(app, statement, tenant) for statement in (LEAD, RENAME, REMOVE)] == [1, 1, 1]
