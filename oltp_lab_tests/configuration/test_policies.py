"""The platform imposes, a tenant may only be stricter, and the limits bite where mail is sent."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from oltp_lab_tests.configuration.conftest import Tenant, call, unique

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
PROVIDERS = ["smtp", "google", "ses"]
EXAMPLES = hypothesis_settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
limits = st.none() | st.integers(0, 20)
lists = st.none() | st.sets(st.sampled_from(PROVIDERS)).map(sorted)


def define(platform: psycopg.Connection, kind: str, default: object) -> str:
    """A policy of a test's own; returns its key."""
    key = unique("policy")
    column = {"limit": "default_limit", "allow_list": "default_values"}[kind]
    platform.execute(
        f"insert into configuration.policies (key, kind, description, {column})"  # noqa: S608
        " values (%s, %s, 'A test.', %s)",  # type: ignore[arg-type]
        [key, kind, default],
    )
    return key


@given(default=limits, imposed=limits, own=limits)
@EXAMPLES
def test_the_smaller_limit_counts(
    tenant: Tenant, default: int | None, imposed: int | None, own: int | None
) -> None:
    key = define(tenant.platform, "limit", default)
    tenant.call("impose_policy", key, imposed)
    with tenant.app() as app:
        call(app, "adopt_policy", tenant.id, key, own)
        base = default if imposed is None else imposed
        expected = min((limit for limit in (base, own) if limit is not None), default=None)
        assert call(app, "policy_limit", tenant.id, key) == expected


@given(default=lists, imposed=lists, own=lists)
@EXAMPLES
def test_what_both_allow_is_allowed(
    tenant: Tenant, default: list[str] | None, imposed: list[str] | None, own: list[str] | None
) -> None:
    key = define(tenant.platform, "allow_list", default)
    tenant.call("impose_policy", key, None, imposed)
    tenant.call("adopt_policy", key, None, own)
    base = default if imposed is None else imposed
    for provider in PROVIDERS:
        expected = all(allowed is None or provider in allowed for allowed in (base, own))
        assert tenant.call("policy_allows", key, provider) == expected


def test_each_side_writes_its_own_part(tenant: Tenant, other: Tenant) -> None:
    tenant.call("impose_policy", "emails_per_day", 10)
    with tenant.app() as app:
        for statement in (
            "update configuration.tenant_policies set imposed_limit = 99",
            "insert into configuration.tenant_policies (imposed_limit) values (99)",
            "delete from configuration.tenant_policies",
            f"select configuration.impose_policy('{tenant.id}', 'emails_per_day', 99)",
            f"select configuration.adopt_policy('{other.id}', 'emails_per_day', 1)",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute(statement)  # type: ignore[arg-type]
        call(app, "adopt_policy", tenant.id, "emails_per_day", 99)
        assert call(app, "policy_limit", tenant.id, "emails_per_day") == 10
        call(app, "adopt_policy", tenant.id, "emails_per_day", 5)
        assert call(app, "policy_limit", tenant.id, "emails_per_day") == 5
    tenant.call("impose_policy", "emails_per_day", 3)
    assert tenant.call("policy_limit", "emails_per_day") == 3
    assert other.call("policy_limit", "emails_per_day") is None


@pytest.mark.parametrize(
    ("function", "arguments", "error", "message"),
    [
        ("policy_limit", ["no_such"], psycopg.errors.InvalidParameterValue, "no policy no_such"),
        ("policy_limit", ["allowed_providers"], psycopg.errors.InvalidParameterValue, "a limit"),
        ("policy_allows", ["emails_per_day", "x"], psycopg.errors.InvalidParameterValue, "a list"),
        ("adopt_policy", ["no_such", 1], psycopg.errors.InvalidParameterValue, "no policy no_such"),
        ("adopt_policy", ["emails_per_day", None, ["x"]], psycopg.errors.CheckViolation, "a limit"),
        ("impose_policy", ["allowed_providers", 1], psycopg.errors.CheckViolation, "allow_list"),
        (
            "impose_policy",
            ["allowed_providers", None, ["gogle"]],
            psycopg.errors.CheckViolation,
            "knows only smtp, google",
        ),
        ("impose_policy", ["emails_per_day", -1], psycopg.errors.CheckViolation, "limit_check"),
    ],
)
def test_refusals(
    tenant: Tenant, function: str, arguments: list, error: type, message: str
) -> None:
    with pytest.raises(error, match=message):
        tenant.call(function, *arguments)


def _send(tenant: Tenant, account: object, count: int = 1, at: datetime = NOW) -> None:
    tenant.platform.execute(_SEND, [tenant.id, account, at.date(), count])


_SEND = (
    "insert into infrastructure.daily_sends as s (tenant_id, email_account_id, day, sent)"
    " values (%s, %s, %s, %s)"
    " on conflict on constraint daily_sends_day_key do update set sent = s.sent + excluded.sent"
)


@pytest.fixture
def domain(tenant: Tenant) -> uuid.UUID:
    """A verified domain of the tenant."""
    return tenant.insert(
        "insert into infrastructure.domains (tenant_id, name, dkim_public_key, next_check_at,"
        " status) values (%s, 'acme.example', 'key', now(), 'verified') returning id"
    )


@pytest.fixture
def accounts(tenant: Tenant, domain: uuid.UUID) -> list[uuid.UUID]:
    """Two email accounts of the tenant."""
    return [
        tenant.insert(
            "insert into infrastructure.email_accounts (tenant_id, domain_id, address, provider)"
            " values (%s, %s, %s, 'ses') returning id",
            domain,
            f"{name}@acme.example",
        )
        for name in ("ada", "bob")
    ]


def test_the_daily_limit_counts_all_accounts_of_the_day(
    tenant: Tenant, accounts: list[uuid.UUID]
) -> None:
    _send(tenant, accounts[0], 9)
    assert tenant.call("send_refusal", NOW) is None  # no policy, no limit
    tenant.call("impose_policy", "emails_per_day", 10)
    assert tenant.call("send_refusal", NOW) is None
    _send(tenant, accounts[1], 1)
    assert tenant.call("send_refusal", NOW) == "daily_limit"
    assert tenant.call("send_refusal", NOW + timedelta(days=1)) is None
    tenant.call("impose_policy", "emails_per_day", 0)
    assert tenant.call("send_refusal", NOW + timedelta(days=1)) == "daily_limit"


def test_racing_senders_stop_at_the_limit(tenant: Tenant, accounts: list[uuid.UUID]) -> None:
    tenant.call("impose_policy", "emails_per_day", 25)
    barrier = threading.Barrier(8)

    def send() -> int:
        sent = 0
        with tenant.database.connect("lab_platform") as worker:
            barrier.wait()
            for _ in range(1000):
                refusal = call(worker, "send_refusal", tenant.id, NOW)
                if refusal is None:
                    worker.execute(_SEND, [tenant.id, accounts[sent % 2], NOW.date(), 1])
                    sent += 1
                worker.commit()
                if refusal == "daily_limit":
                    break
        return sent

    with ThreadPoolExecutor(8) as pool:
        results = [job.result() for job in [pool.submit(send) for _ in range(8)]]
    assert sum(results) == 25


def test_providers_that_are_not_allowed_get_no_account(tenant: Tenant, domain: uuid.UUID) -> None:
    tenant.subscribe("growth")
    tenant.call("adopt_policy", "allowed_providers", None, ["google"])
    opened = [
        tenant.platform.execute(
            "select refusal from infrastructure.create_email_account(%s, %s, %s, %s)",
            [tenant.id, domain, f"{provider}.account", provider],
        ).fetchone()
        for provider in ("google", "ses")
    ]
    assert opened == [(None,), ("provider_not_allowed",)]


def _key_of(at: datetime, n: int) -> str:
    """A uuid v7 of that time."""
    digits = f"{int(at.timestamp() * 1000):012x}7000800000000000{n:04x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def test_retention_removes_in_batches_what_is_too_old(tenant: Tenant, other: Tenant) -> None:
    for owner in (tenant, other):
        for days in range(10):
            at = NOW - timedelta(days=days)
            owner.platform.execute(
                "insert into integration.notifications"
                " (tenant_id, id, user_id, kind, channel, status, created_at, delivered_at)"
                " values (%s, %s, %s, 'campaign.started', 'in_app', 'delivered', %s, %s)",
                [owner.id, _key_of(at, days), owner.member, at, at],
            )
    tenant.call("impose_policy", "notification_retention_days", 2**40)
    assert _removed(tenant) == 0
    tenant.call("adopt_policy", "notification_retention_days", 4)
    assert [_removed(tenant), _removed(tenant), _removed(tenant)] == [3, 2, 0]
    left = "select count(*), min(created_at) from integration.notifications where tenant_id = %s"
    assert tenant.platform.execute(left, [tenant.id]).fetchone() == (5, NOW - timedelta(days=4))
    assert tenant.platform.execute(left, [other.id]).fetchone() == (10, NOW - timedelta(days=9))


def _removed(tenant: Tenant) -> int:
    """How many notifications a batch of three removed."""
    rows = tenant.platform.execute(
        "select * from configuration.enforce_retention(%s, 3, %s)", [tenant.id, NOW]
    ).fetchall()
    assert [name for name, _ in rows] == ["campaigns.events", "integration.notifications"]
    return rows[1][1]


def test_the_plan_limits_how_long_events_are_kept(tenant: Tenant) -> None:
    _events(tenant, ages=[1, 29, 31, 89, 91, 400])

    def ages() -> list[int]:
        tenant.platform.execute(
            "select configuration.enforce_retention(%s, 10, now())", [tenant.id]
        )
        rows = tenant.platform.execute(
            "select extract(day from now() - occurred_at)::int from campaigns.events"
            " where tenant_id = %s order by occurred_at desc",
            [tenant.id],
        )
        return [age for (age,) in rows]

    assert ages() == [1, 29, 31, 89, 91, 400]  # no plan, no policy
    tenant.subscribe("starter")  # 90 days
    assert ages() == [1, 29, 31, 89]
    tenant.call("adopt_policy", "event_retention_days", 30)
    assert ages() == [1, 29]
    forgotten = "select sum(forgotten) from campaigns.counters where tenant_id = %s"
    assert tenant.platform.execute(forgotten, [tenant.id]).fetchone() == (4,)


def _events(tenant: Tenant, ages: list[int]) -> None:
    """A campaign with an event of each age in days."""
    campaign = tenant.insert(
        "insert into campaigns.campaigns (tenant_id, name) values (%s, 'Spring') returning id"
    )
    step = tenant.insert(
        "insert into campaigns.steps (tenant_id, campaign_id, position)"
        " values (%s, %s, 1) returning id",
        campaign,
    )
    lead = tenant.insert(
        "insert into campaigns.leads (tenant_id, email) values (%s, 'a@b.example') returning id"
    )
    tenant.insert(
        "insert into campaigns.enrollments (tenant_id, campaign_id, lead_id, step_id, due_at)"
        " values (%s, %s, %s, %s, now()) returning id",
        campaign,
        lead,
        step,
    )
    for age in ages:
        at = datetime.now(UTC) - timedelta(days=age)
        tenant.insert(
            "insert into campaigns.events"
            " (tenant_id, id, campaign_id, lead_id, step_id, kind, occurred_at)"
            " values (%s, %s, %s, %s, %s, 'opened', %s) returning id",
            *(_key_of(at, age), campaign, lead, step, at),
        )
