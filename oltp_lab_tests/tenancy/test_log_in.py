"""Signing up and logging in with a password, as the database sees it: hashes and digests alone."""

import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from oltp_lab_tests.tenancy.world import NOW, World, call, table, unique

DAY, QUARTER = timedelta(days=1), timedelta(minutes=15)
LOCKED = psycopg.errors.ProgramLimitExceeded
OUTDATED = psycopg.errors.InvalidPassword


def _signed_up(world: World, kept: str = "first") -> tuple[uuid.UUID, str]:
    address = f"{unique('ada')}@acme.example"
    ((user, _),) = table(world.auth, "sign_up", address, kept)
    return user, address


def _begin(world: World, address: str, at: Any = NOW, allowed: int = 5) -> Sequence[Any]:
    (row,) = table(world.auth, "begin_log_in", address, allowed, QUARTER, at)
    return row


def _sessions(world: World, user: uuid.UUID) -> list[str]:
    query = "select session_token from auth.sessions where user_id = %s order by 1"
    return [token for (token,) in world.platform.execute(query, [user]).fetchall()]


def test_user_password_tenant_and_ownership_or_nothing(world: World) -> None:
    address = f"{unique('ada')}@acme.example"
    ((user, tenant),) = table(world.auth, "sign_up", f" {address.upper()} ", "h", "Ada", "Acme")
    assert world.roles(tenant) == {user: ["owner"]}
    assert _begin(world, address) == (user, "h")
    before = world.value("select count(*) from public.tenants")
    with pytest.raises(psycopg.errors.UniqueViolation):
        table(world.auth, "sign_up", address, "h", "Ada", "Acme")
    assert world.value("select count(*) from public.tenants") == before


def test_attempts_are_counted_and_forgotten(world: World) -> None:
    user, address = _signed_up(world)
    for known in (address, f"{unique('nobody')}@acme.example"):
        for _ in range(5):
            _begin(world, known)
        for at in (NOW, NOW + QUARTER - timedelta(seconds=1)):
            with pytest.raises(LOCKED, match=r"^there were 5 attempts to log in: wait"):
                _begin(world, f" {known.upper()} ", at)
        _begin(world, known, NOW + QUARTER)  # the first of five again
    call(world.auth, "complete_log_in", user, "first", unique("digest"))
    attempts = "select attempts from auth.log_in_attempts where identifier = %s"
    assert world.value(attempts, address) is None
    past = NOW - 900 * DAY
    _begin(world, f"{unique('nobody')}@acme.example", past)
    assert table(world.platform, "expire_log_ins", past + DAY)[0][2] == 1


def test_no_more_attempts_than_allowed_whatever_comes_at_once(world: World) -> None:
    _, address = _signed_up(world)
    outcomes = world.race("lab_auth", [lambda c: table(c, "begin_log_in", address)] * 12)
    assert (outcomes.count("ok"), outcomes.count("54000")) == (5, 7)


def test_who_is_gone_or_has_no_password_has_no_hash(world: World) -> None:
    user, address = _signed_up(world)
    world.platform.execute("update users.users set deleted = now() where id = %s", [user])
    without = world.address(world.user())
    for unknown in (address, without, "", "x" * 3000):
        assert _begin(world, unknown, allowed=1_000_000) == (None, None)


def test_a_log_in_that_was_overtaken_by_another_password(world: World) -> None:
    user, _ = _signed_up(world)
    tokens = [unique("digest") for _ in range(3)]
    call(world.auth, "complete_log_in", user, "first", tokens[0])
    call(world.auth, "complete_log_in", user, "first", tokens[1], "first, at another cost")
    with pytest.raises(OUTDATED):
        call(world.auth, "complete_log_in", user, "first", tokens[2])
    with pytest.raises(OUTDATED):
        call(world.auth, "change_password", tokens[0], "first", "second")
    assert call(world.auth, "change_password", tokens[0], "first, at another cost", "second") == 1
    assert _sessions(world, user) == [tokens[0]]
    with pytest.raises(psycopg.errors.InvalidAuthorizationSpecification):
        call(world.auth, "change_password", tokens[1], "second", "third")


def test_no_session_of_the_old_password_outlives_it(world: World) -> None:
    """Log-ins and the change at once: whoever was first."""
    for _ in range(6):
        user, _ = _signed_up(world)
        own, others = unique("digest"), [unique("digest") for _ in range(3)]
        call(world.auth, "complete_log_in", user, "first", own)
        outcomes = world.race(
            "lab_auth",
            [
                *(
                    lambda c, u=user, t=token: call(c, "complete_log_in", u, "first", t)
                    for token in others
                ),
                lambda c, t=own: call(c, "change_password", t, "first", "second"),
            ],
        )
        assert set(outcomes) <= {"ok", "28P01"}
        assert _sessions(world, user) == [own]


def test_only_the_sign_in_service_reads_what_is_kept(world: World) -> None:
    tables = ("credentials", "sessions", "invites", "verification_tokens", "log_in_attempts")
    for role in ("lab_app", "lab_analytics"):
        with world.database.connect(role, autocommit=True) as session:
            for name in tables:
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    session.execute(f"select from auth.{name}")  # type: ignore[arg-type]
            for function in ("begin_log_in", "user_of_session"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    call(session, function, "x")
