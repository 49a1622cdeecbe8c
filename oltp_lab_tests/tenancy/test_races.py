"""Two who act at once on one tenant: the outcome is that of one after the other."""

from oltp_lab_tests.tenancy.world import NOW, World, call

ROUNDS = 8


def test_two_owners_step_down_at_once(world: World) -> None:
    for _ in range(ROUNDS):
        first = world.user()
        tenant = world.tenant(first)
        second = world.join(tenant, "owner")
        outcomes = world.race(
            "lab_auth",
            [
                lambda c, t=tenant, u=user: call(c, "change_roles", t, u, u, ["member"])
                for user in (first, second)
            ],
        )
        assert outcomes == ["23514", "ok"]
        assert sorted(world.roles(tenant).values()) == [["member"], ["owner"]]


def test_owners_remove_each_other_and_leave_at_once(world: World) -> None:
    for _ in range(ROUNDS):
        first = world.user()
        tenant = world.tenant(first)
        second = world.join(tenant, "owner")
        outcomes = world.race(
            "lab_auth",
            [
                lambda c, t=tenant, a=first, m=second: call(c, "remove_member", t, a, m),
                lambda c, t=tenant, a=second, m=first: call(c, "remove_member", t, a, m),
                lambda c, t=tenant, a=first: call(c, "remove_member", t, a, a),
            ],
        )
        assert outcomes.count("ok") == 1, outcomes
        assert list(world.roles(tenant).values()) == [["owner"]]


def test_two_admins_demote_each_other_at_once(world: World) -> None:
    for _ in range(ROUNDS):
        tenant = world.tenant(world.user())
        one, two = world.join(tenant, "admin"), world.join(tenant, "admin")
        outcomes = world.race(
            "lab_auth",
            [
                lambda c, t=tenant, a=one, m=two: call(c, "change_roles", t, a, m, ["viewer"]),
                lambda c, t=tenant, a=two, m=one: call(c, "change_roles", t, a, m, ["viewer"]),
            ],
        )
        assert outcomes == ["42501", "ok"]


def test_an_invite_is_accepted_once(world: World) -> None:
    for _ in range(ROUNDS):
        owner, guest = world.user(), world.user()
        tenant = world.tenant(owner)
        secret = world.invite(tenant, owner, guest)
        outcomes = world.race(
            "lab_auth", [lambda c, s=secret, g=guest: call(c, "accept_invite", s, g, NOW)] * 3
        )
        assert outcomes.count("ok") == 1, outcomes
        assert set(outcomes) <= {"ok", "P0002", "23505"}
        assert world.roles(tenant)[guest] == ["member"]


def test_an_invite_is_accepted_while_its_inviter_is_demoted(world: World) -> None:
    for _ in range(ROUNDS):
        owner, guest = world.user(), world.user()
        tenant = world.tenant(owner)
        admin = world.join(tenant, "admin")
        secret = world.invite(tenant, admin, guest, "admin")
        outcomes = world.race(
            "lab_auth",
            [
                lambda c, s=secret, g=guest: call(c, "accept_invite", s, g, NOW),
                lambda c, t=tenant, o=owner, a=admin: call(c, "change_roles", t, o, a, ["viewer"]),
            ],
        )
        assert outcomes in (["ok", "ok"], ["42501", "ok"])
        assert (guest in world.roles(tenant)) == (outcomes == ["ok", "ok"])


def test_an_invite_is_accepted_while_another_replaces_it(world: World) -> None:
    for _ in range(ROUNDS):
        owner, guest = world.user(), world.user()
        tenant = world.tenant(owner)
        secret = world.invite(tenant, owner, guest, "admin")
        address = world.address(guest)
        outcomes = world.race(
            "lab_auth",
            [
                lambda c, s=secret, g=guest: call(c, "accept_invite", s, g, NOW),
                lambda c, t=tenant, o=owner, a=address: call(
                    c, "invite", t, o, a, ["viewer"], "another", NOW
                ),
            ],
        )
        # Accepted first, then a member is not invited; or replaced first, then it is no invite.
        assert outcomes in (["23505", "ok"], ["P0002", "ok"])
        accepted = world.roles(tenant).get(guest)
        assert accepted == (["admin"] if outcomes[0] == "23505" else None)
