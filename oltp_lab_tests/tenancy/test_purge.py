"""Purging: everything of the tenant goes, is counted, and nobody else's rows are touched."""

import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql as pg

from oltp_lab.servers import Database
from oltp_lab_tests.tenancy.world import World, call, table

# Every table that says whose its rows are, but for what is kept of a purged tenant.
TABLES = """
select n.nspname, c.relname, a.attname
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
join pg_attribute a on a.attrelid = c.oid and a.attname in ('tenant_id', 'owner_tenant_id')
where c.relkind in ('r', 'p') and c.oid <> all (array[
    'integration.tombstones', 'integration.purge_receipts']::regclass[])
union all
select 'public', 'tenants', 'id'
"""
RELEASED = ("infrastructure.smtp_ips", "infrastructure.cost_shares")
LARGEST = "select tenant_id from campaigns.events group by 1 order by count(*) desc limit 1"
MIRRORED = "select attrelid::regclass::text from pg_attribute where attname = 'change_xid'"


def _of(platform: psycopg.Connection, expression: str, condition: str) -> dict[str, Any]:
    """A figure of each table's rows."""
    found: dict[str, Any] = {}
    for schema, name, column in platform.execute(TABLES).fetchall():
        query = pg.SQL("select {} from {} t where t.{} {}").format(
            pg.SQL(expression),  # type: ignore[arg-type]
            pg.Identifier(schema, name),
            pg.Identifier(column),
            pg.SQL(condition),  # type: ignore[arg-type]
        )
        (found[f"{schema}.{name}"],) = platform.execute(query).fetchone() or (None,)
    return found


def _counts(platform: psycopg.Connection, tenant: uuid.UUID) -> dict[str, int]:
    counts = _of(platform, "count(*)", f"= '{tenant}'")
    return {name: count for name, count in counts.items() if count}


def _others(platform: psycopg.Connection, tenant: uuid.UUID) -> dict[str, Any]:
    """What all other tenants' rows come to."""
    return _of(platform, "row(count(*), sum(hashtextextended(t::text, 0)))", f"<> '{tenant}'")


def _receipts(platform: psycopg.Connection, tenant: uuid.UUID) -> dict[str, int]:
    return dict(
        platform.execute(
            "select table_name, removed + released from integration.purge_receipts"
            " where tenant_id = %s and removed + released > 0",
            [tenant],
        ).fetchall()
    )


def _purge(platform: psycopg.Connection, tenant: uuid.UUID, batch: int = 1000) -> list[int]:
    """Rows removed by each call until there was nothing left."""
    removed = []
    for _ in range(10_000):
        ((rows, finished),) = table(platform, "purge_tenant", tenant, batch)
        removed.append(rows)
        if finished:
            return removed
    raise AssertionError("the purge does not end")


@pytest.fixture
def platform(seeded: Database) -> Iterator[psycopg.Connection]:
    with seeded.connect("lab_platform", autocommit=True) as connection:
        yield connection


@pytest.fixture
def tenant(platform: psycopg.Connection) -> uuid.UUID:
    """The largest one, marked deleted."""
    (largest,) = platform.execute(LARGEST).fetchone() or (None,)
    assert isinstance(largest, uuid.UUID)
    call(platform, "delete_tenant", largest)
    return largest


def test_all_of_it_goes_and_is_counted(platform: psycopg.Connection, tenant: uuid.UUID) -> None:
    before, others = _counts(platform, tenant), _others(platform, tenant)
    assert len(before) > 20
    users = platform.execute("select count(*) from users.users").fetchone()
    (began,) = platform.execute("select pg_current_xact_id()::text::bigint").fetchone() or (0,)
    removed = _purge(platform, tenant, 97)
    assert set(removed[:-1]) == {97}

    assert _receipts(platform, tenant) == before
    assert _counts(platform, tenant) == {}
    assert _others(platform, tenant) == others
    assert platform.execute("select count(*) from users.users").fetchone() == users
    mirrored = {name for (name,) in platform.execute(MIRRORED)}
    buried = dict(
        platform.execute(
            "select table_name, count(*) from integration.tombstones"
            " where change_xid >= %s group by 1",
            [began],
        ).fetchall()
    )
    assert buried == {
        name: count
        for name, count in before.items()
        if name.removeprefix("public.") in mirrored and name not in RELEASED
    }
    assert table(platform, "purge_tenant", tenant) == [(0, True)]


def test_what_it_held_is_free_again(platform: psycopg.Connection, tenant: uuid.UUID) -> None:
    held = "select id from infrastructure.smtp_ips where owner_tenant_id = %s"
    addresses = [address for (address,) in platform.execute(held, [tenant])]
    shares = "select count(*), sum(cents) from infrastructure.cost_shares"
    books = platform.execute(shares).fetchone()
    assert addresses
    _purge(platform, tenant)
    states = platform.execute(
        "select distinct status in ('available', 'resting'), owner_tenant_id"
        " from infrastructure.smtp_ips where id = any (%s)",
        [addresses],
    ).fetchall()
    assert states == [(True, None)]
    assert platform.execute(shares).fetchone() == books


def test_only_a_deleted_tenant_is_purged(world: World) -> None:
    for status in ("created", "active", "suspended"):
        tenant = world.tenant(world.user(), status)
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match=f"is {status}"):
            call(world.platform, "purge_tenant", tenant)
        assert len(world.roles(tenant)) == 1
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="does not exist"):
        call(world.platform, "purge_tenant", uuid.uuid4())
    deleted = world.tenant(world.user(), "deleted")
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="at least one row"):
        call(world.platform, "purge_tenant", deleted, 0)


def test_users_stay_and_their_memberships_go(world: World) -> None:
    owner = world.user()
    kept, tenant = world.tenant(owner), world.tenant(owner)
    world.invite(tenant, owner, world.user())
    call(world.auth, "open_session", owner, f"token of {owner}")
    call(world.platform, "delete_tenant", tenant)
    _purge(world.platform, tenant)
    assert [row[0] for row in table(world.auth, "list_tenants", owner)] == [kept]
    assert call(world.auth, "user_of_session", f"token of {owner}") == owner
    invites = "select count(*) from auth.invites where tenant_id = %s"
    assert world.value(invites, tenant) == 0


def test_it_goes_on_where_it_was_killed(
    seeded: Database, platform: psycopg.Connection, tenant: uuid.UUID
) -> None:
    before, others = _counts(platform, tenant), _others(platform, tenant)
    killed = 0
    with seeded.connect(autocommit=True) as administrator:
        while killed < 4:
            worker = seeded.connect("lab_platform", autocommit=True)
            outcome: list[Exception] = []

            def work(worker: psycopg.Connection = worker, outcome: list = outcome) -> None:
                try:
                    _purge(worker, tenant, 20)
                except psycopg.OperationalError as error:
                    outcome.append(error)

            thread = threading.Thread(target=work)
            thread.start()
            time.sleep(0.02 + 0.013 * killed)
            administrator.execute("select pg_terminate_backend(%s)", [worker.info.backend_pid])
            thread.join(30)
            assert outcome, "the purge was over before it was killed"
            worker.close()
            killed += 1
            gone, left = Counter(_receipts(platform, tenant)), Counter(_counts(platform, tenant))
            assert gone + left == before
    assert _counts(platform, tenant)
    _purge(platform, tenant)
    assert _receipts(platform, tenant) == before
    assert _others(platform, tenant) == others


def test_two_workers_purge_the_same_tenant(
    seeded: Database, platform: psycopg.Connection, tenant: uuid.UUID
) -> None:
    before = _counts(platform, tenant)
    with seeded.connect("lab_auth") as auth:
        world = World(seeded, platform, auth)
        assert world.race("lab_platform", [lambda c: _purge(c, tenant, 100)] * 2) == ["ok", "ok"]
    assert _receipts(platform, tenant) == before
    assert _counts(platform, tenant) == {}


def test_rows_that_come_late_are_found(platform: psycopg.Connection, tenant: uuid.UUID) -> None:
    """A worker writes to a table that was empty already."""
    before = _counts(platform, tenant)
    for _ in range(5):
        call(platform, "purge_tenant", tenant, 100)
    platform.execute(
        "insert into auth.invites (tenant_id, identifier, token, created_by)"
        " values (%s, 'late@acme.example', 'late', %s)",
        [tenant, uuid.uuid4()],
    )
    _purge(platform, tenant)
    before["auth.invites"] = before.get("auth.invites", 0) + 1
    assert _receipts(platform, tenant) == before
    assert _counts(platform, tenant) == {}


def test_a_new_table_is_found_and_a_tree_taken_from_its_leaves(
    seeded: Database, platform: psycopg.Connection
) -> None:
    tenant = uuid.uuid4()
    platform.execute(
        "insert into public.tenants (id, status, deleted) values (%s, 'deleted', now())", [tenant]
    )
    platform.execute(
        "insert into campaigns.leads (tenant_id, email)"
        " select %s, n || '@b.example' from generate_series(1, 5) as n",
        [tenant],
    )
    assert table(platform, "purge_tenant", tenant, 1) == [(1, False)]  # planned without it
    with seeded.connect() as administrator:
        administrator.execute("""
            set role lab_owner;
            create table campaigns.folders (
                tenant_id uuid references public.tenants (id), id integer, parent_id integer,
                primary key (tenant_id, id),
                foreign key (tenant_id, parent_id) references campaigns.folders (tenant_id, id));
            grant all on campaigns.folders to lab_platform
        """)
    platform.execute(
        "insert into campaigns.folders"
        " select %s, n, nullif(n / 2, 0) from generate_series(1, 20) as n",
        [tenant],
    )
    before = _counts(platform, tenant)["campaigns.folders"]
    _purge(platform, tenant, 3)
    assert _receipts(platform, tenant)["campaigns.folders"] == before == 20
    assert _counts(platform, tenant) == {}


def test_a_table_that_was_forgotten_would_be_told(
    seeded: Database, platform: psycopg.Connection, tenant: uuid.UUID
) -> None:
    """The negative control: with a plan that lacks a table, the tenant's row cannot go."""
    with seeded.connect() as administrator:
        administrator.execute("""
            alter function tenancy.purge_order() rename to whole_order;
            create function tenancy.purge_order() returns table (table_name text, place integer)
                language sql stable
                as $$select * from tenancy.whole_order() where table_name <> 'users.tenant_users'$$;
            grant execute on function tenancy.purge_order() to lab_platform
        """)
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        _purge(platform, tenant)
    assert {"users.tenant_users", "public.tenants"} <= set(_counts(platform, tenant))
