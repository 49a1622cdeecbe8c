"""Signing up, verifying an address, logging in, and being in one tenant after the other."""

import uuid
from datetime import timedelta

import psycopg
import pytest

from oltp_lab_tests.tenancy.world import NOW, World, call, table, unique

DAY = timedelta(days=1)


def test_an_address_signs_up_once(world: World) -> None:
    address = f"{unique('Ada')}@Acme.example"
    user = call(world.auth, "create_user", f" {address} ", "Ada")
    assert world.address(user) == address.lower()
    with pytest.raises(psycopg.errors.UniqueViolation):
        call(world.auth, "create_user", address.upper())
    world.platform.execute("update users.users set deleted = now() where id = %s", [user])
    assert call(world.auth, "create_user", address) != user


@pytest.mark.parametrize("address", ["", "ada", "ada@", "@acme.example", "a b@acme.example"])
def test_what_is_no_address_is_refused(world: World, address: str) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="no email address"):
        call(world.auth, "create_user", address)


def test_an_address_signs_up_once_in_a_race(world: World) -> None:
    address = f"{unique('race')}@acme.example"
    outcomes = world.race("lab_auth", [lambda c: call(c, "create_user", address)] * 4)
    assert outcomes == ["23505"] * 3 + ["ok"]


def test_an_address_is_verified_once(world: World) -> None:
    user = world.user()
    address = world.address(user)
    call(world.auth, "issue_verification", address, "first", DAY, NOW)
    assert call(world.auth, "issue_verification", address, "second", DAY, NOW) == NOW + DAY
    with pytest.raises(psycopg.errors.NoDataFound):  # replaced
        call(world.auth, "verify_address", address, "first", NOW)
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="expired"):
        call(world.auth, "verify_address", address, "second", NOW + DAY)
    outcomes = world.race(
        "lab_auth", [lambda c: call(c, "verify_address", address.upper(), "second", NOW)] * 3
    )
    assert outcomes == ["P0002", "P0002", "ok"]
    assert world.value("select email_verified from users.users where id = %s", user) == NOW.replace(
        tzinfo=None
    )
    with pytest.raises(psycopg.errors.NoDataFound):
        call(world.auth, "issue_verification", "nobody@acme.example", "x")


def test_a_user_who_has_left_verifies_nothing(world: World) -> None:
    user = world.user()
    address = world.address(user)
    call(world.auth, "issue_verification", address, "secret")
    world.platform.execute("update users.users set deleted = now() where id = %s", [user])
    with pytest.raises(psycopg.errors.NoDataFound, match="no user"):
        call(world.auth, "verify_address", address, "secret")


def test_sessions(world: World) -> None:
    user, token = world.user(), unique("token")
    call(world.auth, "open_session", user, token, DAY, NOW)
    assert call(world.auth, "user_of_session", token, NOW) == user
    assert call(world.auth, "user_of_session", token, NOW + DAY) is None
    assert call(world.auth, "user_of_session", "unknown", NOW) is None
    with pytest.raises(psycopg.errors.UniqueViolation):
        call(world.auth, "open_session", world.user(), token)
    with pytest.raises(psycopg.errors.ForeignKeyViolation, match="does not exist"):
        call(world.auth, "open_session", uuid.uuid4(), unique("token"))
    assert call(world.auth, "close_session", token) is True
    assert call(world.auth, "close_session", token) is False

    others = [unique("token") for _ in range(3)]
    for other in others:
        call(world.auth, "open_session", user, other)
    assert call(world.auth, "close_sessions", user) == 3


def test_a_user_who_has_left_is_logged_out(world: World) -> None:
    user, token = world.user(), unique("token")
    call(world.auth, "open_session", user, token)
    world.platform.execute("update users.users set deleted = now() where id = %s", [user])
    assert call(world.auth, "user_of_session", token) is None
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        call(world.auth, "open_session", user, unique("token"))


def test_log_ins_expire(world: World) -> None:
    user = world.user()
    past = NOW - 400 * DAY
    for lasts in (DAY, 2 * DAY):
        call(world.auth, "open_session", user, unique("token"), lasts, past)
    call(world.auth, "issue_verification", world.address(user), "secret", DAY, past)
    assert table(world.platform, "expire_log_ins", past + DAY) == [(1, 1, 0)]
    assert call(world.auth, "close_sessions", user) == 1
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        call(world.auth, "expire_log_ins", NOW)


def test_a_session_switches_between_tenants_of_its_user(world: World) -> None:
    user, token = world.user(), unique("token")
    call(world.auth, "open_session", user, token)
    own = world.tenant(user)
    second = world.tenant(world.user(), "suspended")
    call(world.platform, "activate_tenant", second)
    world.platform.execute(
        "insert into users.tenant_users (tenant_id, user_id, roles) values (%s, %s, '{viewer}')",
        [second, user],
    )
    call(world.platform, "suspend_tenant", second)
    listed = {row[0]: (row[2], row[3]) for row in table(world.auth, "list_tenants", user)}
    assert listed == {own: ("active", ["owner"]), second: ("suspended", ["viewer"])}
    with world.auth.transaction():
        assert call(world.auth, "switch_tenant", token, second) == ["viewer"]
        assert _context(world.auth) == (second, user)
        assert call(world.auth, "switch_tenant", token, own) == ["owner"]
        assert _context(world.auth) == (own, user)
    assert _context(world.auth) == (None, None)


def test_nobody_switches_to_what_is_not_theirs(world: World) -> None:
    user, token = world.user(), unique("token")
    own, foreign = world.tenant(user), world.tenant(world.user())
    call(world.auth, "open_session", user, token, DAY, NOW)
    for tenant in (foreign, uuid.uuid4()):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="does not belong"):
            call(world.auth, "switch_tenant", token, tenant, NOW)
    for secret, at in (("unknown", NOW), (token, NOW + DAY)):
        with pytest.raises(psycopg.errors.InvalidAuthorizationSpecification):
            call(world.auth, "switch_tenant", secret, own, at)
    call(world.platform, "delete_tenant", own)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        call(world.auth, "switch_tenant", token, own, NOW)
    assert table(world.auth, "list_tenants", user) == []


def test_a_refused_switch_leaves_the_context_alone(world: World) -> None:
    user, token = world.user(), unique("token")
    call(world.auth, "open_session", user, token)
    own = world.tenant(user)
    with world.auth.transaction():
        call(world.auth, "switch_tenant", token, own)
        with pytest.raises(psycopg.errors.InsufficientPrivilege), world.auth.transaction():
            call(world.auth, "switch_tenant", token, uuid.uuid4())
        assert _context(world.auth) == (own, user)


def test_one_user_across_tenants(world: World) -> None:
    user = world.user()
    first, second = world.tenant(user), world.tenant(world.user())
    world.platform.execute(
        "insert into users.tenant_users (tenant_id, user_id, roles) values (%s, %s, '{viewer}')",
        [second, user],
    )
    for tenant, status in ((first, "draft"), (second, "running"), (second, "draft")):
        world.platform.execute(
            "insert into campaigns.campaigns (tenant_id, name, status) values (%s, 'x', %s)",
            [tenant, status],
        )
    tenants = [row[0] for row in table(world.auth, "list_tenants", user)]
    with world.database.connect("lab_app", autocommit=True) as app:
        found = {row[0]: row[2:] for row in table(app, "overview", tenants, user)}
        assert found == {
            first: ("active", ["owner"], 1, 1, 0),
            second: ("active", ["viewer"], 2, 2, 1),
        }
        with app.transaction():
            table(app, "overview", tenants, user)
            assert _context(app) == (None, user)
            assert app.execute("select from public.tenants").fetchall() == []
        foreign = world.tenant(world.user())
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="does not belong"):
            table(app, "overview", [*tenants, foreign], user)


def _context(connection: psycopg.Connection) -> tuple | None:
    return connection.execute("select lab.current_tenant(), lab.current_user_id()").fetchone()
