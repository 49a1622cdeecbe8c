"""The life of one tenant and its members, in any order of operations, against a model of it."""

from datetime import datetime, timedelta

import psycopg
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
)
from hypothesis.stateful import run_state_machine_as_test as run_machine

from oltp_lab_tests.tenancy.world import NOW, World, call, table, unique

PEOPLE = st.integers(0, 3)
ROLES = st.sampled_from(["owner", "admin", "member"])
STATUSES = st.sampled_from(["created", "active", "suspended", "deleted"])
ALLOWED = {
    "created": {"active", "deleted"},
    "active": {"suspended", "deleted"},
    "suspended": {"active", "deleted"},
    "deleted": set(),
}


class Membership(RuleBasedStateMachine):
    """Four people, and a tenant of the first; operations do, or raise, what the model says."""

    world: World  # set by the test

    def __init__(self) -> None:
        super().__init__()
        self.people = [self.world.user() for _ in range(4)]
        self.tenant = self.world.tenant(self.people[0], "created")
        self.status: str | None = "created"
        self.members = {0: "owner"}
        self.invites: dict[int, tuple[int, str, str, datetime]] = {}
        self.now = NOW

    @rule(acting=PEOPLE, guest=PEOPLE, role=ROLES)
    def invite(self, acting: int, guest: int, role: str) -> None:
        secret = unique("secret")
        earlier = self.invites.get(guest)
        refusal = self._may_manage(acting) or self._may_grant(acting, role)
        if refusal is None and guest in self.members:
            refusal = "23505"
        if refusal is None and earlier and earlier[1] == "owner":
            refusal = self._may_grant(acting, "owner")
        address = self.world.address(self.people[guest])
        self._do(
            refusal, "invite", self.tenant, self.people[acting], address, [role], secret, self.now
        )
        if refusal is None:
            self.invites[guest] = (acting, role, secret, self.now + timedelta(days=7))

    @precondition(lambda self: self.invites)
    @rule(guest=PEOPLE, thief=st.booleans())
    def accept(self, guest: int, thief: bool) -> None:
        about = next(iter(self.invites)) if thief else guest
        inviter, role, secret, expires = self.invites.get(about, (0, "", "unknown", self.now))
        if about != guest or about not in self.invites:
            refusal = "P0002"
        elif expires <= self.now:
            refusal = "22023"
        else:
            refusal = self._may_manage(inviter) or self._may_grant(inviter, role)
        self._do(refusal, "accept_invite", secret, self.people[guest], self.now)
        if refusal is None:
            self.members[guest] = role
            del self.invites[guest]

    @rule(acting=PEOPLE, member=PEOPLE, role=ROLES)
    def change(self, acting: int, member: int, role: str) -> None:
        refusal = (
            self._may_manage(acting)
            or self._may_grant(acting, role)
            or self._owner_stays(acting, member, role)
        )
        self._do(
            refusal, "change_roles", self.tenant, self.people[acting], self.people[member], [role]
        )
        if refusal is None:
            self.members[member] = role

    @rule(acting=PEOPLE, member=PEOPLE)
    def remove(self, acting: int, member: int) -> None:
        entered = self._lives(acting) if acting == member else self._may_manage(acting)
        refusal = entered or self._owner_stays(acting, member, None)
        self._do(refusal, "remove_member", self.tenant, self.people[acting], self.people[member])
        if refusal is None:
            del self.members[member]

    @rule(wanted=STATUSES)
    def move(self, wanted: str) -> None:
        refusal = None
        if self.status is None:
            refusal = "22023"
        elif wanted not in ALLOWED[self.status]:
            refusal = "23514"
        self._do(refusal, "set_status", self.tenant, wanted, platform=True)
        if refusal is None:
            self.status = wanted

    @precondition(lambda self: self.status in ("deleted", None))
    @rule(batch=st.integers(1, 5))
    def purge(self, batch: int) -> None:
        for _ in range(20):
            if table(self.world.platform, "purge_tenant", self.tenant, batch)[-1][1]:
                break
        self.status, self.members, self.invites = None, {}, {}

    @rule(days=st.integers(1, 5))
    def wait(self, days: int) -> None:
        self.now += timedelta(days=days)

    @invariant()
    def agrees(self) -> None:
        held = self.world.roles(self.tenant)
        assert held == {self.people[n]: [role] for n, role in self.members.items()}
        assert (self.status is None) or "owner" in self.members.values()
        invited = self.world.value(
            "select count(*) from auth.invites where tenant_id = %s", self.tenant
        )
        assert invited == len(self.invites)

    def _do(self, refusal: str | None, function: str, *arguments: object, platform=False) -> None:
        connection = self.world.platform if platform else self.world.auth
        try:
            call(connection, function, *arguments)
        except psycopg.Error as error:
            assert error.sqlstate == refusal, f"{error} instead of {refusal}"
        else:
            assert refusal is None, f"{function} should have raised {refusal}"

    def _lives(self, acting: int) -> str | None:
        if self.status is None:
            return "22023"
        if self.status in ("suspended", "deleted"):
            return "55000"
        return None if acting in self.members else "42501"

    def _may_manage(self, acting: int) -> str | None:
        if refusal := self._lives(acting):
            return refusal
        return None if self.members[acting] in ("owner", "admin") else "42501"

    def _may_grant(self, acting: int, role: str) -> str | None:
        return "42501" if role == "owner" and self.members[acting] != "owner" else None

    def _owner_stays(self, acting: int, member: int, role: str | None) -> str | None:
        if member not in self.members:
            return "P0002"
        if self.members[member] == "owner" and self.members[acting] != "owner":
            return "42501"
        others = [r for n, r in self.members.items() if n != member]
        if self.members[member] == "owner" and role != "owner" and "owner" not in others:
            return "23514"
        return None


def test_membership_machine(world: World) -> None:
    machine = type("MembershipOfWorld", (Membership,), {"world": world})
    run_machine(
        machine,
        settings=hypothesis_settings(max_examples=60, stateful_step_count=25),
    )
