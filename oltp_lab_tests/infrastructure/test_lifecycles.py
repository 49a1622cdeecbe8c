"""The state machines, accounts' openings and closings, and what a domain gives back."""

import uuid
from datetime import timedelta
from itertools import product
from typing import Any

import psycopg
import pytest

from oltp_lab_tests.infrastructure.world import DAY, KEY, NOW, World, call, warm

NO_GAP = timedelta(0)
ALLOWED = {
    "domains": {
        "pending": {"verified", "decommissioned"},
        "verified": {"failing", "decommissioned"},
        "failing": {"verified", "decommissioned"},
        "decommissioned": set(),
    },
    "email_accounts": {
        "active": {"paused", "closed"},
        "paused": {"active", "closed"},
        "closed": set(),
    },
    "vps_instances": {
        "provisioning": {"active", "retired"},
        "active": {"failed", "retired"},
        "failed": {"active", "retired"},
        "retired": set(),
    },
    "smtp_ips": {
        "available": {"assigned", "retired"},
        "assigned": {"available", "resting"},
        "resting": {"available", "retired"},
        "retired": set(),
    },
}


def _columns(table: str, status: str, tenant: uuid.UUID) -> dict[str, Any]:
    """What a row in this status must say beside it."""
    if table == "domains":
        gone = status == "decommissioned"
        return {
            "status": status,
            "decommissioned_at": NOW if gone else None,
            "next_check_at": None if gone else NOW,
        }
    if table == "vps_instances":
        return {"status": status, "retired_at": NOW if status == "retired" else None}
    if table == "smtp_ips":
        return {"status": status, "owner_tenant_id": tenant if status == "assigned" else None}
    return {"status": status}


def _row(world: World, table: str, status: str, tenant: uuid.UUID) -> uuid.UUID:
    """A new row in this status."""
    columns = _columns(table, status, tenant)
    if table == "domains":
        name = f"{uuid.uuid4().hex}.example"
        return world.insert(table, tenant_id=tenant, name=name, dkim_public_key=KEY, **columns)
    if table == "email_accounts":
        return world.insert(
            table, tenant_id=tenant, domain_id=_row(world, "domains", "verified", tenant),
            address=f"{uuid.uuid4().hex}@acme.example", provider="smtp", **columns,
        )  # fmt: skip
    if table == "vps_instances":
        return world.insert(table, name=uuid.uuid4().hex, provider="p", region="r", **columns)
    return world.address(world.instance(), **columns)


@pytest.mark.parametrize("table", ALLOWED)
def test_transitions(world: World, table: str) -> None:
    tenant = world.tenant()
    for before, after in product(ALLOWED[table], repeat=2):
        row = _row(world, table, before, tenant)
        if after in ALLOWED[table][before] or before == after:
            world.update(table, row, **_columns(table, after, tenant))
            assert world.get(table, row)["status"] == after
        else:
            with pytest.raises(psycopg.errors.CheckViolation, match=f"from {before} to {after}"):
                world.update(table, row, **_columns(table, after, tenant))


def test_an_account_needs_a_verified_domain(world: World) -> None:
    tenant = world.tenant()
    domain = world.domain(tenant, "Acme.example", verified=False)

    def create(local_part: str) -> dict[str, Any]:
        return world.call(
            "create_email_account", tenant, domain, local_part, "smtp", 50, NO_GAP, NOW
        )

    refused = {"email_account_id": None, "refusal": "domain_not_verified"}
    assert create("ada") == refused
    world.answer(tenant, domain, world.good(domain))
    account = create("ada")["email_account_id"]
    assert world.get("email_accounts", account)["address_norm"] == "ada@acme.example"
    assert create("Ada") == {"email_account_id": None, "refusal": "address_taken"}
    world.call("set_email_account_status", tenant, account, "closed", NOW)
    assert create("ada")["email_account_id"] not in (None, account)
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="does not exist"):
        world.call("create_email_account", world.tenant(), domain, "bob", "smtp", 50, NO_GAP, NOW)


def test_domains_and_accounts_are_within_the_plan(world: World) -> None:
    tenant = world.tenant("free")  # one domain, one mailbox, and
    world.run("select billing.set_override(%s, 'email_accounts', 2, 'a second', at => %s)",
              tenant, NOW)  # fmt: skip

    def used() -> dict[str, int]:
        found = world.rows(
            "select feature_key, used from billing.usage_counters where tenant_id = %s", tenant
        )
        return {row["feature_key"]: row["used"] for row in found}

    def create(local_part: str) -> str | None:
        return world.call(
            "create_email_account", tenant, domain, local_part, "smtp", 50, NO_GAP, NOW
        )["refusal"]

    domain = world.domain(tenant, "acme.example")
    assert world.call("add_domain", tenant, "b.example", KEY, NOW)["refusal"] == "limit_reached"
    assert [create(name) for name in ("a", "A", "b", "c")] == [
        None, "address_taken", None, "limit_reached",
    ]  # fmt: skip
    assert used() == {"domains": 1, "email_accounts": 2}
    account = world.value("select id from infrastructure.email_accounts where address_norm ^@ 'a@'")
    world.call("set_email_account_status", tenant, account, "closed", NOW)
    assert used() == {"domains": 1, "email_accounts": 1}
    world.call("decommission_domain", tenant, domain, NOW)
    assert used() == {"domains": 0, "email_accounts": 0}
    assert world.call("add_domain", tenant, "b.example", KEY, NOW)["refusal"] is None


def test_only_allowed_providers(world: World) -> None:
    tenant = world.tenant()
    domain = world.domain(tenant)
    world.run(
        "select configuration.impose_policy(%s, 'allowed_providers', policy_values => %s)",
        tenant, ["smtp", "google"],
    )  # fmt: skip
    refusals = [
        world.call("create_email_account", tenant, domain, p, p, 50, NO_GAP, NOW)["refusal"]
        for p in ("smtp", "google", "microsoft")
    ]
    assert refusals == [None, None, "provider_not_allowed"]


def test_account_operations_refuse(world: World) -> None:
    tenant = world.tenant()
    account = world.account(tenant, world.domain(tenant))
    with pytest.raises(psycopg.errors.CheckViolation, match="is active already"):
        world.call("set_email_account_status", tenant, account, "active")
    world.call("set_email_account_status", tenant, account, "closed")
    with pytest.raises(psycopg.errors.CheckViolation, match="from closed to active"):
        world.call("set_email_account_status", tenant, account, "active")
    for operation, arguments in (
        ("set_email_account_status", ["paused"]),
        ("set_email_account_limits", [10, NO_GAP]),
    ):
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="does not exist"):
            world.call(operation, world.tenant(), account, *arguments)


def test_a_domain_gives_back_what_it_held(world: World) -> None:
    tenant = world.tenant()
    kept, given_up = world.domain(tenant), world.domain(tenant, "acme.example")
    addresses = [world.address(world.instance(), **warm(NOW)) for _ in range(3)]
    own, shared, unused = addresses
    for address in addresses:
        world.call("assign_smtp_ip", tenant, address, NOW)
    world.account(tenant, kept, smtp_ip_id=shared)
    closing = [world.account(tenant, given_up, smtp_ip_id=a) for a in (own, shared)]

    told = world.call("decommission_domain", tenant, given_up, NOW + DAY)
    assert told == {"accounts_closed": 2, "addresses_released": 1, "name_released": True}
    assert {world.get("email_accounts", a)["status"] for a in closing} == {"closed"}
    assert world.get("smtp_ips", own)["status"] == "available"
    assert {world.get("smtp_ips", a)["status"] for a in (shared, unused)} == {"assigned"}
    names = world.rows("select domain_id from infrastructure.verified_domains")
    assert names == [{"domain_id": kept}]
    assert call(world.platform, "claim_dns_checks", 9, NOW + 9 * DAY)[0]["domain"] == kept

    told = world.call("decommission_domain", tenant, kept, NOW + DAY)
    assert told == {"accounts_closed": 1, "addresses_released": 2, "name_released": True}
    with pytest.raises(psycopg.errors.CheckViolation, match="decommissioned already"):
        world.call("decommission_domain", tenant, kept, NOW + DAY)
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="does not exist"):
        world.call("decommission_domain", world.tenant(), kept, NOW + DAY)


def test_accounts_are_not_opened_behind_a_decommissioning(world: World) -> None:
    tenant = world.tenant()
    for n in range(10):
        domain = world.domain(tenant)

        def session(connection: psycopg.Connection, k: int, d=domain, n=n) -> None:
            if k:
                call(
                    connection,
                    "create_email_account",
                    tenant,
                    d,
                    f"box{n}",
                    "smtp",
                    50,
                    NO_GAP,
                    NOW,
                )
            else:
                call(connection, "decommission_domain", tenant, d, NOW)

        world.race(2, session)
    assert (
        world.value("select count(*) from infrastructure.email_accounts where status <> 'closed'")
        == 0
    )


def test_nothing_is_sent_after_a_decommissioning(world: World) -> None:
    tenant, account, _ = world.sender(minimum_gap=NO_GAP, **warm(NOW))
    domain = world.get("email_accounts", account)["domain_id"]

    def session(connection: psycopg.Connection, n: int) -> int:
        sent = 0
        if not n:
            call(connection, "decommission_domain", tenant, domain, NOW)
            connection.commit()
            total = "select coalesce(sum(sent), 0)::integer from infrastructure.daily_sends"
            return (connection.execute(total).fetchone() or (0,))[0]
        while True:
            (slot,) = call(connection, "take_send_slot", tenant, NOW)
            connection.commit()
            if slot["refusal"] in ("no_account", "daily_limit"):
                return sent
            sent += slot["refusal"] is None

    at_the_end, *sent = world.race(3, session)
    assert sum(sent) == at_the_end
