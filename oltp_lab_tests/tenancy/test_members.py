"""Inviting, joining, changing roles and leaving: what happens, and every refusal."""

import uuid
from datetime import timedelta

import psycopg
import pytest

from oltp_lab_tests.tenancy.world import NOW, World, call, unique

WEEK = timedelta(days=7)
DENIED = psycopg.errors.InsufficientPrivilege


def test_an_invited_user_joins_once(world: World) -> None:
    owner, guest = world.user(), world.user()
    tenant = world.tenant(owner)
    secret = world.invite(tenant, owner, guest, "admin", "billing")
    assert call(world.auth, "accept_invite", secret, guest, NOW) == tenant
    assert world.roles(tenant) == {owner: ["owner"], guest: ["admin", "billing"]}
    with pytest.raises(psycopg.errors.NoDataFound):
        call(world.auth, "accept_invite", secret, guest, NOW)


def test_an_invite_is_for_its_address(world: World) -> None:
    owner, guest = world.user(), world.user()
    tenant = world.tenant(owner)
    secret = world.invite(tenant, owner, guest)
    for user in (world.user(), owner, uuid.uuid4()):
        with pytest.raises(psycopg.errors.NoDataFound, match="no such invite"):
            call(world.auth, "accept_invite", secret, user, NOW)
    with pytest.raises(psycopg.errors.NoDataFound):
        call(world.auth, "accept_invite", "unknown", guest, NOW)
    world.platform.execute("update users.users set deleted = now() where id = %s", [guest])
    with pytest.raises(psycopg.errors.NoDataFound):
        call(world.auth, "accept_invite", secret, guest, NOW)
    assert world.roles(tenant) == {owner: ["owner"]}


def test_an_invite_lasts_seven_days(world: World) -> None:
    owner, guest = world.user(), world.user()
    tenant = world.tenant(owner)
    secret = world.invite(tenant, owner, guest)
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="expired"):
        call(world.auth, "accept_invite", secret, guest, NOW + WEEK)
    call(world.auth, "accept_invite", secret, guest, NOW + WEEK - timedelta(seconds=1))
    assert guest in world.roles(tenant)


def test_expired_invites_are_removed(world: World) -> None:
    owner = world.user()
    tenant = world.tenant(owner)
    past = NOW - 100 * WEEK
    for number in range(3):
        arguments = [tenant, owner, f"guest{number}@acme.example", ["member"], unique("secret")]
        call(world.auth, "invite", *arguments, past + number * WEEK)
    assert call(world.platform, "expire_invites", past + 2 * WEEK) == 2
    with pytest.raises(DENIED):
        call(world.auth, "expire_invites", NOW)


def test_a_second_invite_replaces_the_first(world: World) -> None:
    owner, guest = world.user(), world.user()
    tenant = world.tenant(owner)
    first = world.invite(tenant, owner, guest, "admin")
    second = world.invite(tenant, owner, guest, "viewer")
    with pytest.raises(psycopg.errors.NoDataFound):
        call(world.auth, "accept_invite", first, guest, NOW)
    call(world.auth, "accept_invite", second, guest, NOW)
    assert world.roles(tenant)[guest] == ["viewer"]


def test_an_invite_is_withdrawn(world: World) -> None:
    owner, guest = world.user(), world.user()
    tenant = world.tenant(owner)
    admin, member = world.join(tenant, "admin"), world.join(tenant, "member")
    secret = world.invite(tenant, owner, guest, "owner")
    address = world.address(guest)
    with pytest.raises(DENIED):
        call(world.auth, "withdraw_invite", tenant, member, address)
    assert call(world.auth, "withdraw_invite", tenant, admin, address) is False  # an owner's
    assert call(world.auth, "withdraw_invite", tenant, owner, address.upper()) is True
    with pytest.raises(psycopg.errors.NoDataFound):
        call(world.auth, "accept_invite", secret, guest, NOW)


@pytest.mark.parametrize(
    ("held", "granted", "refused"),
    [
        ("owner", ["owner"], None),
        ("owner", ["viewer", "beta"], None),
        ("admin", ["admin"], None),
        ("admin", ["owner"], DENIED),
        ("admin", ["member", "owner"], DENIED),
        ("member", ["member"], DENIED),
        ("viewer", ["viewer"], DENIED),
        ("owner", [], psycopg.errors.InvalidParameterValue),
        ("owner", None, psycopg.errors.InvalidParameterValue),
        ("owner", ["member", None], psycopg.errors.InvalidParameterValue),
    ],
)
def test_who_invites_whom(
    world: World, held: str, granted: list[str] | None, refused: type[psycopg.Error] | None
) -> None:
    tenant = world.tenant(world.user())
    inviter, guest = world.join(tenant, held), world.user()
    arguments = [tenant, inviter, world.address(guest), granted, unique("secret"), NOW]
    if refused:
        with pytest.raises(refused):
            call(world.auth, "invite", *arguments)
    else:
        call(world.auth, "invite", *arguments)
        call(world.auth, "accept_invite", arguments[4], guest, NOW)
        assert world.roles(tenant)[guest] == granted


def test_members_are_not_invited_again(world: World) -> None:
    owner = world.user()
    tenant = world.tenant(owner)
    member = world.join(tenant, "member")
    with pytest.raises(psycopg.errors.UniqueViolation, match="belongs to"):
        world.invite(tenant, owner, member)


def test_an_admin_does_not_replace_an_owners_invite(world: World) -> None:
    owner, guest = world.user(), world.user()
    tenant = world.tenant(owner)
    admin = world.join(tenant, "admin")
    secret = world.invite(tenant, owner, guest, "owner")
    with pytest.raises(DENIED):
        world.invite(tenant, admin, guest, "member")
    call(world.auth, "accept_invite", secret, guest, NOW)


@pytest.mark.parametrize("fate", ["removed", "demoted", "admin"])
def test_an_invite_falls_with_its_inviters_right(world: World, fate: str) -> None:
    owner, guest = world.user(), world.user()
    tenant = world.tenant(owner)
    inviter = world.join(tenant, "owner")
    secret = world.invite(tenant, inviter, guest, "owner")
    if fate == "removed":
        call(world.auth, "remove_member", tenant, owner, inviter)
    else:
        role = "viewer" if fate == "demoted" else fate  # admins do not make owners
        call(world.auth, "change_roles", tenant, owner, inviter, [role])
    with pytest.raises(DENIED):
        call(world.auth, "accept_invite", secret, guest, NOW)
    assert guest not in world.roles(tenant)


ROLES = ("owner", "admin", "member")


@pytest.mark.parametrize("acting", ROLES)
@pytest.mark.parametrize("before", ROLES)
@pytest.mark.parametrize("after", [*ROLES, "removed"])
def test_who_changes_whom(world: World, acting: str, before: str, after: str) -> None:
    tenant = world.tenant(world.user())
    manager, member = world.join(tenant, acting), world.join(tenant, before)
    allowed = acting == "owner" or (acting == "admin" and "owner" not in (before, after))

    def act() -> None:
        if after == "removed":
            call(world.auth, "remove_member", tenant, manager, member)
        else:
            call(world.auth, "change_roles", tenant, manager, member, [after])

    if allowed:
        act()
        assert world.roles(tenant).get(member) == (None if after == "removed" else [after])
    else:
        with pytest.raises(DENIED):
            act()
        assert world.roles(tenant)[member] == [before]


def test_nobody_raises_themselves(world: World) -> None:
    owner = world.user()
    tenant = world.tenant(owner)
    admin, member = world.join(tenant, "admin"), world.join(tenant, "member")
    for user, role in ((admin, "owner"), (admin, "billing"), (member, "admin"), (member, "owner")):
        with pytest.raises(DENIED):
            call(world.auth, "change_roles", tenant, user, user, [role])
    call(world.auth, "change_roles", tenant, owner, admin, ["admin", "billing"])
    call(world.auth, "change_roles", tenant, admin, admin, ["billing"])
    assert world.roles(tenant) == {owner: ["owner"], admin: ["billing"], member: ["member"]}


def test_who_has_no_roles_manages_nothing(world: World) -> None:
    owner = world.user()
    tenant = world.tenant(owner)
    nobody, member = world.join(tenant), world.join(tenant, "member")
    unnamed = "update users.tenant_users set roles = null where user_id = %s"
    for _ in range(2):  # with an empty list, and with none
        for function, *arguments in (
            ("invite", tenant, nobody, "new@acme.example", ["member"], unique("secret"), NOW),
            ("change_roles", tenant, nobody, member, ["viewer"]),
            ("remove_member", tenant, nobody, member),
        ):
            with pytest.raises(DENIED):
                call(world.auth, function, *arguments)
        world.platform.execute(unnamed, [nobody])
    call(world.auth, "change_roles", tenant, owner, nobody, ["viewer"])
    assert world.roles(tenant)[nobody] == ["viewer"]


def test_an_owner_stays(world: World) -> None:
    first = world.user()
    tenant = world.tenant(first)
    for after in (["admin"], ["member"]):
        with pytest.raises(psycopg.errors.CheckViolation, match="would have no owner"):
            call(world.auth, "change_roles", tenant, first, first, after)
    with pytest.raises(psycopg.errors.CheckViolation, match="would have no owner"):
        call(world.auth, "remove_member", tenant, first, first)
    second = world.join(tenant, "owner")
    call(world.auth, "change_roles", tenant, first, first, ["member"])
    with pytest.raises(psycopg.errors.CheckViolation):
        call(world.auth, "remove_member", tenant, second, second)
    assert world.roles(tenant) == {first: ["member"], second: ["owner"]}


def test_an_owner_who_has_left_is_no_owner(world: World) -> None:
    owner = world.user()
    tenant = world.tenant(owner)
    ended = world.join(tenant, "owner")
    world.platform.execute(
        "update users.tenant_users set deleted = now() where tenant_id = %s and user_id = %s",
        [tenant, ended],
    )
    with pytest.raises(psycopg.errors.CheckViolation):
        call(world.auth, "remove_member", tenant, owner, owner)
    with pytest.raises(DENIED):
        call(world.auth, "remove_member", tenant, ended, owner)


def test_members_leave_and_their_choices_go_along(world: World) -> None:
    owner = world.user()
    tenant = world.tenant(owner)
    member = world.join(tenant, "viewer")
    world.platform.execute(
        "insert into integration.notification_preferences"
        " (tenant_id, user_id, kind, channel, enabled) values (%s, %s, 'digest', 'email', false)",
        [tenant, member],
    )
    call(world.auth, "remove_member", tenant, member, member)
    assert world.roles(tenant) == {owner: ["owner"]}
    left = "select count(*) from integration.notification_preferences where tenant_id = %s"
    assert world.value(left, tenant) == 0
    with pytest.raises(DENIED):
        call(world.auth, "remove_member", tenant, member, member)
    for unknown in (member, uuid.uuid4()):
        with pytest.raises(psycopg.errors.NoDataFound):
            call(world.auth, "remove_member", tenant, owner, unknown)
        with pytest.raises(psycopg.errors.NoDataFound):
            call(world.auth, "change_roles", tenant, owner, unknown, ["member"])


@pytest.mark.parametrize("status", ["suspended", "deleted"])
def test_members_of_a_tenant_that_does_not_live_stay_as_they_are(world: World, status: str) -> None:
    owner, guest = world.user(), world.user()
    tenant = world.tenant(owner)
    member = world.join(tenant, "member")
    secret = world.invite(tenant, owner, guest)
    before = world.roles(tenant)
    call(world.platform, "set_status", tenant, status)
    for function, *arguments in (
        ("invite", tenant, owner, "new@acme.example", ["member"], unique("secret"), NOW),
        ("withdraw_invite", tenant, owner, "new@acme.example"),
        ("accept_invite", secret, guest, NOW),
        ("change_roles", tenant, owner, member, ["admin"]),
        ("remove_member", tenant, owner, member),
        ("remove_member", tenant, member, member),
    ):
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match=f"is {status}"):
            call(world.auth, function, *arguments)
    assert world.roles(tenant) == before


def test_unknown_tenants_raise_as_on_nile(world: World) -> None:
    user, unknown = world.user(), uuid.uuid4()
    for function, *arguments in (
        ("invite", unknown, user, "new@acme.example", ["member"], unique("secret"), NOW),
        ("change_roles", unknown, user, user, ["admin"]),
        ("remove_member", unknown, user, user),
    ):
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="does not exist"):
            call(world.auth, function, *arguments)


def test_members_of_one_tenant_are_nobody_in_another(world: World) -> None:
    owner, foreign_owner = world.user(), world.user()
    tenant, _ = world.tenant(owner), world.tenant(foreign_owner)
    for function, *arguments in (
        ("invite", tenant, foreign_owner, "new@acme.example", ["member"], unique("secret"), NOW),
        ("change_roles", tenant, foreign_owner, owner, ["member"]),
        ("remove_member", tenant, foreign_owner, owner),
    ):
        with pytest.raises(DENIED, match="does not belong"):
            call(world.auth, function, *arguments)
