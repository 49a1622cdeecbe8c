"""Who gets a flag and which variant: rolled out as Unleash does, overridden, killed."""

import uuid
from itertools import product

import psycopg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from oltp_lab_tests.configuration.conftest import Tenant, call, unique
from oltp_lab_tests.configuration.murmur import VARIANT_SEED, bucket


def create(tenant: Tenant, rollout: int, stickiness: str = "user") -> str:
    key = unique("flag")
    call(tenant.platform, "create_flag", key, "A test.", rollout, stickiness)
    return key


def enabled(tenant: Tenant, flag: str, users: list[uuid.UUID]) -> set[uuid.UUID]:
    """Those of the users for whom the flag is on."""
    rows = tenant.platform.execute(
        "select u from unnest(%s::uuid[]) u where configuration.flag_enabled(%s, u, %s)",
        [users, tenant.id, flag],
    )
    return {user for (user,) in rows}


def test_ids_are_bucketed_as_unleash_would(tenant: Tenant) -> None:
    users = [uuid.uuid4() for _ in range(500)]
    flag = create(tenant, 37)
    assert enabled(tenant, flag, users) == {u for u in users if bucket(flag, str(u)) <= 37}


# Rollouts.


@given(steps=st.lists(st.integers(0, 100), min_size=2, max_size=6))
@hypothesis_settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_growing_rollout_takes_from_nobody(tenant: Tenant, steps: list[int]) -> None:
    users = [uuid.UUID(int=n * 7919) for n in range(1, 200)]
    flag = create(tenant, 0)
    had: set[uuid.UUID] = enabled(tenant, flag, users)
    assert had == set()
    for rollout in sorted(steps):
        call(tenant.platform, "set_rollout", flag, rollout)
        have = enabled(tenant, flag, users)
        assert had <= have
        had = have
    assert (len(had) == len(users)) or max(steps) < 100
    call(tenant.platform, "set_rollout", flag, 0)
    assert enabled(tenant, flag, users) == set()


def test_a_rollout_reaches_its_share(tenant: Tenant) -> None:
    """Of 4,000 users, 3 percentage points are over four standard deviations."""
    users = [uuid.uuid4() for _ in range(4000)]
    assert len(enabled(tenant, create(tenant, 30), users)) / 4000 == pytest.approx(0.3, abs=0.03)


def test_a_tenant_rollout_treats_its_users_alike(tenant: Tenant, other: Tenant) -> None:
    flag = create(tenant, 50, "tenant")
    for owner, rollout in product((tenant, other), (1, 50, 100)):
        call(tenant.platform, "set_rollout", flag, rollout)
        expected = bucket(flag, str(owner.id)) <= rollout
        for user in (owner.owner, owner.member, None):
            assert owner.call("flag_enabled", user, flag) == expected


def test_who_has_no_id_is_in_no_bucket(tenant: Tenant) -> None:
    assert tenant.call("flag_enabled", None, create(tenant, 100)) is False


def test_an_unknown_flag_is_off(tenant: Tenant) -> None:
    assert tenant.call("flag_enabled", tenant.member, "no_such") is False
    assert tenant.call("flag_variant", tenant.member, "no_such") == "disabled"


def test_flags_of_one_group_reach_the_same_users_first(tenant: Tenant) -> None:
    users = [uuid.uuid4() for _ in range(200)]
    small, large = create(tenant, 20), create(tenant, 60)
    tenant.platform.execute(
        "update configuration.feature_flags set group_id = 'checkout' where key in (%s, %s)",
        [small, large],
    )
    assert enabled(tenant, small, users) < enabled(tenant, large, users)


# Segments: all conditions of one must hold.


def segment(tenant: Tenant, **conditions: object) -> str:
    key = unique("segment")
    columns = {"plans": None, "roles": None, "joined_before": None} | conditions
    tenant.platform.execute(
        "insert into configuration.segments (key, description, plans, roles, joined_before)"
        " values (%s, 'A test.', %s, %s, %s)",
        [key, *columns.values()],
    )
    return key


@pytest.mark.parametrize(
    ("conditions", "owner_in", "member_in"),
    [
        ({}, True, True),
        ({"roles": ["owner", "admin"]}, True, False),
        ({"roles": ["admin"]}, False, False),
        ({"plans": ["growth", "scale"]}, True, True),
        ({"plans": ["scale"]}, False, False),
        ({"plans": ["growth"], "roles": ["member"]}, False, True),
        ({"joined_before": "2999-01-01Z"}, True, True),
        ({"joined_before": "2001-01-01Z"}, False, False),
        ({"joined_before": "2001-01-01Z", "roles": ["owner"]}, False, False),
    ],
)
def test_segments(
    tenant: Tenant, conditions: dict[str, object], owner_in: bool, member_in: bool
) -> None:
    tenant.subscribe("growth")
    flag = create(tenant, 0)
    call(tenant.platform, "set_rollout", flag, 0, segment(tenant, **conditions), 100)
    with tenant.app() as app:
        for user, expected in ((tenant.owner, owner_in), (tenant.member, member_in)):
            assert call(app, "flag_enabled", tenant.id, user, flag) == expected


@pytest.mark.parametrize(
    ("everybody", "segment_rollout"), [(0, 40), (30, 60), (60, 30), (100, 0), (0, 0), (100, 100)]
)
def test_a_segment_has_a_rollout_of_its_own(
    tenant: Tenant, everybody: int, segment_rollout: int
) -> None:
    """On top of everybody's: an id keeps its place whatever it is compared with."""
    flag, users = create(tenant, 0), [uuid.uuid4() for _ in range(100)]
    tenant.platform.cursor().executemany(
        "insert into users.tenant_users (tenant_id, user_id, roles) values (%s, %s, %s)",
        [(tenant.id, user, ["beta"] if n % 2 else ["member"]) for n, user in enumerate(users)],
    )
    beta = segment(tenant, roles=["beta"])
    call(tenant.platform, "set_rollout", flag, everybody, beta, segment_rollout)
    assert enabled(tenant, flag, users) == {
        user
        for n, user in enumerate(users)
        if bucket(flag, str(user)) <= (max(everybody, segment_rollout) if n % 2 else everybody)
    }


def test_a_tenant_without_plan_is_in_no_plans_segment(tenant: Tenant) -> None:
    assert tenant.call("in_segment", tenant.owner, segment(tenant, plans=["growth"])) is False
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="no segment no_such"):
        tenant.call("in_segment", tenant.owner, "no_such")


def test_a_segment_in_use_cannot_go(tenant: Tenant) -> None:
    key = segment(tenant)
    call(tenant.platform, "set_rollout", create(tenant, 0), 0, key, 100)
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        tenant.platform.execute("delete from configuration.segments where key = %s", [key])


# Overrides and the kill switch.


@pytest.mark.parametrize(
    ("rollout", "for_tenant", "for_user"),
    list(product((0, 100), (None, False, True), (None, False, True))),
)
def test_user_over_tenant_over_rollout(
    tenant: Tenant, rollout: int, for_tenant: bool | None, for_user: bool | None
) -> None:
    flag = create(tenant, rollout)
    if for_tenant is not None:
        tenant.call("override_flag", None, flag, for_tenant)
    if for_user is not None:
        tenant.call("override_flag", tenant.member, flag, for_user)
    others = rollout == 100 if for_tenant is None else for_tenant
    with tenant.app() as app:
        got = [
            call(app, "flag_enabled", tenant.id, user, flag)
            for user in (tenant.member, tenant.owner)
        ]
        assert got == [others if for_user is None else for_user, others]

    call(tenant.platform, "switch_flag", flag, False)
    assert tenant.call("flag_enabled", tenant.member, flag) is False
    call(tenant.platform, "switch_flag", flag, True)
    assert [tenant.call("flag_enabled", u, flag) for u in (tenant.member, tenant.owner)] == got

    tenant.call("override_flag", tenant.member, flag, None)
    tenant.call("override_flag", None, flag, None)
    assert tenant.call("flag_enabled", tenant.member, flag) is (rollout == 100)


def test_overrides_are_the_tenants_own(tenant: Tenant, other: Tenant) -> None:
    flag = create(tenant, 0)
    tenant.call("override_flag", None, flag, True)
    assert other.call("flag_enabled", other.member, flag) is False
    with other.app() as app:
        assert call(app, "flag_enabled", tenant.id, tenant.member, flag) is False
        for statement in (
            "insert into configuration.tenant_flag_overrides default values",
            f"select configuration.override_flag('{other.id}', null, '{flag}', true)",
            "update configuration.feature_flags set enabled = false",
            "update configuration.feature_flags set rollout = 100",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute(statement)  # type: ignore[arg-type]


# Variants.


def add_variants(tenant: Tenant, flag: str, *weights: int) -> None:
    for position, weight in enumerate(weights, 1):
        tenant.platform.execute(
            "insert into configuration.flag_variants (flag_key, position, variant, weight)"
            " values (%s, %s, %s, %s)",
            [flag, position, f"v{position}", weight],
        )


@given(weights=st.lists(st.integers(0, 5), min_size=1, max_size=4))
@hypothesis_settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_variants_are_dealt_as_unleash_deals_them(tenant: Tenant, weights: list[int]) -> None:
    flag = create(tenant, 100)
    add_variants(tenant, flag, *weights)
    users = [uuid.uuid4() for _ in range(60)]
    rows = tenant.platform.execute(
        "select u, configuration.flag_variant(%s, u, %s) from unnest(%s::uuid[]) u",
        [tenant.id, flag, users],
    )
    for user, variant in rows:
        assert variant == _expected_variant(flag, str(user), weights)


def _expected_variant(flag: str, subject: str, weights: list[int]) -> str:
    if sum(weights) == 0:
        return "disabled"
    target, counter = bucket(flag, subject, sum(weights), VARIANT_SEED), 0
    for position, weight in enumerate(weights, 1):
        counter += weight
        if weight and counter >= target:
            return f"v{position}"
    raise AssertionError("no variant reached")


def test_variants_can_be_overridden(tenant: Tenant) -> None:
    flag = create(tenant, 0)
    add_variants(tenant, flag, 1, 0, 0)
    assert tenant.call("flag_variant", tenant.member, flag) == "disabled"
    tenant.call("override_flag", None, flag, True)
    assert tenant.call("flag_variant", tenant.member, flag) == "v1"
    assert tenant.call("flag_variant", None, flag) == "v1"
    tenant.call("override_flag", None, flag, True, "v2")
    tenant.call("override_flag", tenant.member, flag, True, "v3")
    assert tenant.call("flag_variant", tenant.owner, flag) == "v2"
    assert tenant.call("flag_variant", tenant.member, flag) == "v3"
    call(tenant.platform, "switch_flag", flag, False)
    assert tenant.call("flag_variant", tenant.member, flag) == "disabled"


def test_a_flag_without_variants_has_none(tenant: Tenant) -> None:
    assert tenant.call("flag_variant", tenant.member, create(tenant, 100)) == "disabled"


@pytest.mark.parametrize(
    ("flag", "arguments", "error"),
    [
        ("no_such", [True], psycopg.errors.InvalidParameterValue),
        (None, [True, "no_such"], psycopg.errors.InvalidParameterValue),
        (None, [False, "v1"], psycopg.errors.CheckViolation),
    ],
)
def test_overrides_of_what_is_not_there_raise(
    tenant: Tenant, flag: str | None, arguments: list, error: type
) -> None:
    known = create(tenant, 0)
    add_variants(tenant, known, 1)
    for user in (None, tenant.member):
        with pytest.raises(error):
            tenant.call("override_flag", user, flag or known, *arguments)


def test_operations_on_unknown_flags_raise(tenant: Tenant) -> None:
    flag = create(tenant, 0)
    for function, *arguments in (
        ("switch_flag", "no_such", False),
        ("set_rollout", "no_such", 5),
    ):
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            call(tenant.platform, function, *arguments)
    for wrong in ((101,), (-1,), (5, None, 5), (5, segment(tenant)), (5, segment(tenant), 101)):
        with pytest.raises(psycopg.errors.CheckViolation):
            call(tenant.platform, "set_rollout", flag, *wrong)
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        call(tenant.platform, "set_rollout", flag, 5, "no_such", 5)
    with pytest.raises(psycopg.errors.UniqueViolation):
        call(tenant.platform, "create_flag", flag, "Again.")


def test_all_flags_in_one_call(tenant: Tenant) -> None:
    on, off, varied = create(tenant, 100), create(tenant, 0), create(tenant, 100)
    add_variants(tenant, varied, 1)
    with tenant.app() as app:
        found = dict(
            app.execute(
                "select * from configuration.flags_in_effect(%s, %s)", [tenant.id, tenant.member]
            ).fetchall()
        )
    assert found[on] == "disabled"
    assert found[varied] == "v1"
    assert off not in found
