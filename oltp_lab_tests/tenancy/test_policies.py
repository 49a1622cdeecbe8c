"""What lab_auth may not do by hand, without the operations: the policies say so on their own."""

import uuid

import psycopg
import pytest
from psycopg import sql as pg

from oltp_lab.servers import Database
from oltp_lab_tests.tenancy.world import World

DENIED = psycopg.errors.InsufficientPrivilege


def _acting(
    auth: psycopg.Connection, tenant: uuid.UUID | None, user: uuid.UUID, statement: str
) -> int:
    """Rows that a statement touches, in a context set by hand."""
    with auth.transaction():
        auth.execute("select lab.enter_tenant(%s, %s)", [tenant, user])
        return auth.execute(statement).rowcount  # type: ignore[arg-type]


def _join(tenant: uuid.UUID, user: uuid.UUID, role: str) -> str:
    return (
        "insert into users.tenant_users (tenant_id, user_id, roles)"  # noqa: S608
        f" values ('{tenant}', '{user}', '{{{role}}}')"
    )


def test_nobody_joins_uninvited(world: World) -> None:
    user, guest = world.user(), world.user()
    owner = world.user()
    tenant = world.tenant(owner)
    world.invite(tenant, owner, guest, "member")
    deserted = world.tenant(world.user())
    world.platform.execute("delete from users.tenant_users where tenant_id = %s", [deserted])
    for context, who, statement in (
        (None, user, _join(tenant, user, "member")),
        (tenant, user, _join(tenant, user, "owner")),
        (tenant, owner, _join(tenant, user, "member")),  # an owner invites, and does not enrol
        (None, guest, _join(tenant, guest, "owner")),  # not as what they were invited
        (None, user, _join(tenant, guest, "member")),
        (deserted, user, _join(deserted, user, "owner")),  # empty, but not new
    ):
        with pytest.raises(DENIED):
            _acting(world.auth, context, who, statement)
    assert _acting(world.auth, None, guest, _join(tenant, guest, "member")) == 1


def test_memberships_change_only_by_those_who_may(world: World) -> None:
    owner = world.user()
    tenant = world.tenant(owner)
    admin, member = world.join(tenant, "admin"), world.join(tenant, "member")
    foreign = world.user()
    world.tenant(foreign)
    raised = "update users.tenant_users set roles = '{admin}'"
    removed = "delete from users.tenant_users where user_id = {}"
    for context, who, statement in (
        (tenant, member, raised),
        (tenant, foreign, raised),
        (None, owner, raised),
        (tenant, member, removed.format(f"'{admin}'")),
        (tenant, admin, removed.format(f"'{owner}'")),
        (tenant, foreign, removed.format(f"'{member}'")),
        (None, member, removed.format(f"'{member}'")),
    ):
        assert _acting(world.auth, context, who, statement) == 0, statement
    for role in ("owner", "billing"):
        with pytest.raises(DENIED):
            changed = (
                f"update users.tenant_users set roles = '{{{role}}}' where user_id = '{admin}'"  # noqa: S608
            )
            _acting(world.auth, tenant, admin, changed)
    for statement in (
        f"update users.tenant_users set user_id = '{foreign}'",  # noqa: S608
        "update users.tenant_users set deleted = null",
    ):
        with pytest.raises(DENIED):
            _acting(world.auth, tenant, owner, statement)
    assert _acting(world.auth, tenant, admin, raised) == 2  # the admin and the member
    assert _acting(world.auth, tenant, member, removed.format(f"'{member}'")) == 1


def test_invites_are_seen_by_managers_and_the_invited(world: World) -> None:
    owner, guest = world.user(), world.user()
    tenant = world.tenant(owner)
    member, foreign = world.join(tenant, "member"), world.user()
    world.invite(tenant, owner, guest)
    seen = "select from auth.invites"
    assert _acting(world.auth, tenant, owner, seen) == 1
    assert _acting(world.auth, None, guest, seen) == 1
    for context, who in ((tenant, member), (tenant, foreign), (None, owner), (tenant, guest)):
        assert _acting(world.auth, context, who, seen) == 0
        assert _acting(world.auth, context, who, "delete from auth.invites") == 0
    with pytest.raises(DENIED):  # in somebody else's name
        _acting(
            world.auth,
            tenant,
            owner,
            "insert into auth.invites (tenant_id, identifier, token, roles, created_by)"  # noqa: S608
            f" values ('{tenant}', 'x@acme.example', 'x', '{{member}}', '{member}')",
        )


def test_a_tenant_is_locked_but_not_changed(world: World) -> None:
    owner = world.user()
    tenant = world.tenant(owner)
    with pytest.raises(DENIED):
        _acting(world.auth, tenant, owner, "update public.tenants set updated = now()")
    with pytest.raises(DENIED):
        _acting(world.auth, tenant, owner, "update public.tenants set name = 'Mine'")
    assert _acting(world.auth, tenant, owner, "select from public.tenants for no key update") == 1


def test_what_each_operation_says_is_who_may_call_it(world: World) -> None:
    """lab_platform calls no log-in, and so on: execution is granted to the role in the comment."""
    rows = world.platform.execute("""
        select p.oid::regprocedure::text, split_part(obj_description(p.oid, 'pg_proc'), ':', 1),
               array_agg(r.rolname::text order by r.rolname)
                   filter (where has_function_privilege(r.oid, p.oid, 'execute')),
               p.prosecdef, p.proconfig
        from pg_proc p cross join pg_roles r
        where p.pronamespace = 'tenancy'::regnamespace
          and r.rolname in ('lab_app', 'lab_auth', 'lab_platform', 'lab_analytics')
        group by p.oid
    """).fetchall()
    assert len(rows) > 20
    for function, said, may, definer, settings in rows:
        assert (said, [said]) == (said, may), function
        assert not definer, function
        assert settings == ["search_path=pg_catalog"], function


def test_without_the_policies_nothing_would_be_refused(database: Database) -> None:
    """The negative control: it is the policies that the refusals above come from."""
    with (
        database.connect("lab_platform", autocommit=True) as platform,
        database.connect("lab_auth", autocommit=True) as auth,
        database.connect(autocommit=True) as administrator,
    ):
        world = World(database, platform, auth)
        owner = world.user()
        tenant = world.tenant(owner)
        member, stranger = world.join(tenant, "member"), world.user()
        for policy, command, context, who, statement in (
            (
                "found_tenant",
                pg.SQL("with check"),
                None,
                stranger,
                _join(tenant, stranger, "owner"),
            ),
            (
                "manage_members",
                pg.SQL("using"),
                tenant,
                member,
                "update users.tenant_users set roles = '{}'",
            ),
            ("remove_members", pg.SQL("using"), tenant, member, "delete from users.tenant_users"),
        ):
            widened = pg.SQL("alter policy {} on users.tenant_users {} (true)").format(
                pg.Identifier(policy), command
            )
            administrator.execute(widened)
            if policy == "manage_members":
                administrator.execute(
                    "alter policy manage_members on users.tenant_users with check (true)"
                )
            assert _acting(auth, context, who, statement) > 0, policy
