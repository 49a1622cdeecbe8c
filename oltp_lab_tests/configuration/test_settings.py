"""User over tenant over plan over system, and never a value that the definition refuses."""

from itertools import combinations

import psycopg
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from oltp_lab_tests.configuration.conftest import Tenant, call, unique


def define(platform: psycopg.Connection, default: object, **columns: object) -> str:
    """A setting of a test's own; returns its key."""
    key = "campaigns." + unique("setting")
    row = {"value_type": "integer", "scope": "user", "minimum": None, "maximum": None}
    row |= {"choices": None, "pattern": None} | columns
    platform.execute(
        "insert into configuration.settings (key, category, description, default_value, value_type,"
        " scope, minimum, maximum, choices, pattern) values (%(key)s, 'campaigns', 'A test.',"
        " %(default)s, %(value_type)s, %(scope)s, %(minimum)s, %(maximum)s, %(choices)s,"
        " %(pattern)s)",
        {"key": key, "default": Jsonb(default), **row},
    )
    return key


LEVELS = {"user": 4, "tenant": 3, "plan": 2, "system": 1}  # as they win, and what each holds


@pytest.mark.parametrize("levels", [set(c) for n in range(5) for c in combinations(LEVELS, n)])
def test_the_nearest_level_wins(tenant: Tenant, levels: set[str]) -> None:
    tenant.subscribe("growth")
    key = define(tenant.platform, 0)
    if "system" in levels:
        call(tenant.platform, "set_system_setting", key, Jsonb(1))
    if "plan" in levels:
        call(tenant.platform, "set_system_setting", key, Jsonb(2), "growth")
    call(tenant.platform, "set_system_setting", key, Jsonb(99), "enterprise")
    with tenant.app() as app:
        if "tenant" in levels:
            call(app, "set_tenant_setting", tenant.id, key, Jsonb(3))
        if "user" in levels:
            call(app, "set_user_preference", tenant.id, tenant.member, key, Jsonb(4))
        held = [level for level in LEVELS if level in levels]
        expected = LEVELS[held[0]] if held else 0
        assert call(app, "resolve_setting", tenant.id, tenant.member, key) == expected
        # the table of everything says the same, and where it comes from
        assert app.execute(
            "select value, level from configuration.settings_in_effect(%s, %s, 'campaigns')"
            " where setting_key = %s",
            [tenant.id, tenant.member, key],
        ).fetchone() == (expected, held[0] if held else "system")
        # without a user, and for another one, the tenant's
        held = [level for level in held if level != "user"]
        expected = LEVELS[held[0]] if held else 0
        assert call(app, "resolve_setting", tenant.id, None, key) == expected
        assert call(app, "resolve_setting", tenant.id, tenant.owner, key) == expected


def test_null_goes_back(tenant: Tenant) -> None:
    key = define(tenant.platform, 0)
    steps = (
        ("set_user_preference", (tenant.id, tenant.member, key, None), 3),
        ("set_tenant_setting", (tenant.id, key, None), 1),
        ("set_system_setting", (key, None), 0),
    )
    tenant.call("set_tenant_setting", key, Jsonb(3))
    tenant.call("set_user_preference", tenant.member, key, Jsonb(4))
    call(tenant.platform, "set_system_setting", key, Jsonb(1))
    for function, arguments, left in steps:
        call(tenant.platform, function, *arguments)
        assert tenant.call("resolve_setting", tenant.member, key) == left


def test_a_plan_counts_while_the_tenant_has_it(tenant: Tenant, other: Tenant) -> None:
    key = define(tenant.platform, 0)
    call(tenant.platform, "set_system_setting", key, Jsonb(2), "growth")
    tenant.subscribe("growth")
    other.subscribe("starter")
    assert tenant.call("resolve_setting", None, key) == 2
    assert other.call("resolve_setting", None, key) == 0
    call(tenant.platform, "set_system_setting", key, None, "growth")
    assert tenant.call("resolve_setting", None, key) == 0


def test_preferences_end_with_the_membership(tenant: Tenant) -> None:
    key = define(tenant.platform, 0)
    tenant.call("set_user_preference", tenant.member, key, Jsonb(4))
    tenant.platform.execute(
        "delete from users.tenant_users where tenant_id = %s and user_id = %s",
        [tenant.id, tenant.member],
    )
    assert tenant.call("resolve_setting", tenant.member, key) == 0
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        tenant.call("set_user_preference", tenant.member, key, Jsonb(4))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-20, 20) | st.floats(-20, 20) | st.sampled_from("abcd"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.just("k"), inner, max_size=1),
    max_leaves=3,
)


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -5 <= value <= 5


ACCEPTS = {
    "boolean": ({}, lambda v: isinstance(v, bool)),
    "integer": ({"minimum": -5, "maximum": 5}, lambda v: _number(v) and v == int(v)),
    "number": ({"minimum": -5, "maximum": 5}, _number),
    "string": (
        {"choices": ["a", "b", "c"], "pattern": "^[bcd]$"},
        lambda v: isinstance(v, str) and v in ("b", "c"),
    ),
}
DEFAULTS = {"boolean": True, "integer": 1, "number": 0.5, "string": "b"}


@pytest.mark.parametrize("value_type", ACCEPTS)
def test_values_are_what_the_definition_accepts(tenant: Tenant, value_type: str) -> None:
    limits, accepts = ACCEPTS[value_type]
    key = define(tenant.platform, DEFAULTS[value_type], value_type=value_type, **limits)

    @given(value=JSON)
    @hypothesis_settings(max_examples=150)
    def offer(value: object) -> None:
        try:
            tenant.call("set_tenant_setting", key, Jsonb(value))
            accepted = True
        except psycopg.errors.CheckViolation as error:
            assert "cannot be" in str(error)
            accepted = False
        assert accepted == accepts(value), value

    offer()


def test_refusals_say_what_is_accepted(tenant: Tenant) -> None:
    key = define(tenant.platform, 1, minimum=1, maximum=9)
    for function, *arguments in (
        ("set_tenant_setting", tenant.id, key, Jsonb(10)),
        ("set_user_preference", tenant.id, tenant.member, key, Jsonb(10)),
        ("set_system_setting", key, Jsonb(10)),
        ("set_system_setting", key, Jsonb(10), "growth"),
    ):
        with pytest.raises(
            psycopg.errors.CheckViolation, match="cannot be 10: it takes integer from 1 to 9"
        ):
            call(tenant.platform, function, *arguments)


def test_unknown_settings_raise(tenant: Tenant) -> None:
    for function, *arguments in (
        ("resolve_setting", tenant.id, None, "no.such"),
        ("set_tenant_setting", tenant.id, "no.such", Jsonb(1)),
        ("set_user_preference", tenant.id, tenant.member, "no.such", Jsonb(1)),
        ("set_system_setting", "no.such", Jsonb(1)),
    ):
        with pytest.raises(psycopg.errors.InvalidParameterValue, match=r"no setting no\.such"):
            call(tenant.platform, function, *arguments)


@pytest.mark.parametrize(
    ("scope", "tenant_may", "user_may"),
    [("system", False, False), ("tenant", True, False), ("user", True, True)],
)
def test_the_scope_says_who_may_set_it(
    tenant: Tenant, scope: str, tenant_may: bool, user_may: bool
) -> None:
    key = define(tenant.platform, 0, scope=scope)
    for may, (function, *arguments) in (
        (tenant_may, ("set_tenant_setting", key, Jsonb(1))),
        (user_may, ("set_user_preference", tenant.member, key, Jsonb(1))),
    ):
        if may:
            tenant.call(function, *arguments)
        else:
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match=f"for the {scope}"):
                tenant.call(function, *arguments)


@pytest.mark.parametrize(
    "change",
    [
        "set maximum = 4",
        "set minimum = 6",
        "set value_type = 'string', default_value = '\"x\"'",
        "set scope = 'tenant'",
        "set scope = 'system'",
        "set key = 'campaigns.renamed'",
    ],
)
def test_a_definition_cannot_strand_values(tenant: Tenant, change: str) -> None:
    key = define(tenant.platform, 5)
    tenant.call("set_user_preference", tenant.member, key, Jsonb(5))
    update = f"update configuration.settings {change}, description = 'x' where key = %s"
    with pytest.raises(psycopg.errors.CheckViolation):
        tenant.platform.execute(update, [key])  # type: ignore[arg-type]
    with pytest.raises(psycopg.errors.CheckViolation, match="would make invalid"):
        tenant.platform.execute("delete from configuration.settings where key = %s", [key])
    tenant.platform.execute(
        "update configuration.settings set minimum = 5, maximum = 5 where key = %s", [key]
    )
    tenant.call("set_user_preference", tenant.member, key, None)
    tenant.platform.execute("delete from configuration.settings where key = %s", [key])


def test_a_value_and_a_narrower_definition_cannot_pass_each_other(tenant: Tenant) -> None:
    """The one that comes second waits for the first, and is refused."""
    key = define(tenant.platform, 1)
    with tenant.database.connect("lab_platform") as first:
        call(first, "set_tenant_setting", tenant.id, key, Jsonb(50))
        tenant.platform.execute("set lock_timeout = '100ms'")
        narrow = "update configuration.settings set maximum = 9 where key = %s"
        with pytest.raises(psycopg.errors.LockNotAvailable):
            tenant.platform.execute(narrow, [key])
        first.commit()
        with pytest.raises(psycopg.errors.CheckViolation, match="would make invalid"):
            tenant.platform.execute(narrow, [key])


def test_the_application_defines_nothing_and_sees_its_tenant_alone(
    tenant: Tenant, other: Tenant
) -> None:
    key = define(tenant.platform, 0)
    other.call("set_tenant_setting", key, Jsonb(3))
    other.call("set_user_preference", other.member, key, Jsonb(4))
    with tenant.app() as app:
        assert call(app, "resolve_setting", other.id, other.member, key) == 0
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            call(app, "set_tenant_setting", other.id, key, Jsonb(5))
        for statement in (
            "update configuration.settings set system_value = '1'",
            f"select configuration.set_system_setting('{key}', '1')",
            "delete from configuration.policies",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute(statement)  # type: ignore[arg-type]
    assert other.call("resolve_setting", other.member, key) == 4


def test_what_ships_is_valid(platform: psycopg.Connection) -> None:
    assert (
        platform.execute(
            "select s.key from configuration.settings s"
            " where lab.setting_refusal(s, s.default_value) is not null"
        ).fetchall()
        == []
    )
