"""Addresses and servers that fail, rest or are given up, and who is supplied instead."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

import psycopg
import pytest
from psycopg import sql as pg

from oltp_lab_tests.infrastructure.consistency import assert_consistent
from oltp_lab_tests.infrastructure.world import DAY, NOW, World, call, warm

NO_GAP = timedelta(0)


def _busy_sender(world: World) -> tuple[uuid.UUID, uuid.UUID]:
    """A tenant who has sent 150 of 200 a day, by four mailboxes and one address."""
    tenant, account, address = world.sender(minimum_gap=NO_GAP, **warm(NOW))
    domain = world.get("email_accounts", account)["domain_id"]
    for _ in range(3):
        world.account(tenant, domain, minimum_gap=NO_GAP, **warm(NOW))
    for days in range(1, 8):
        world.sends(tenant, account, address, day=NOW.date() - days * DAY, sent=150)
    return tenant, address


def _sent(world: World, tenant: uuid.UUID, day: int) -> tuple[int, str]:
    slots, refusal = world.drain(tenant, NOW + day * DAY)
    return len(slots), refusal


def test_failover_to_a_cold_address_warms_it_up_and_the_rest_waits(world: World) -> None:
    tenant, address = _busy_sender(world)
    cold = world.address(world.instance())
    told = world.call("replace_smtp_ip", address, True, NOW)
    assert told == {"replacement": cold, "expected": 150, "room": 100, "refusal": None}
    assert [_sent(world, tenant, day) for day in range(4)] == [
        (100, "ip_warming"), (140, "ip_warming"), (196, "ip_warming"), (200, "daily_limit"),
    ]  # fmt: skip
    assert_consistent(world)


def test_failover_to_a_warm_address_goes_on_as_before(world: World) -> None:
    tenant, address = _busy_sender(world)
    world.address(world.instance(cents=0))
    target = world.address(world.instance(cents=9000), **warm(NOW))
    told = world.call("replace_smtp_ip", address, True, NOW)
    assert told == {"replacement": target, "expected": 150, "room": 50000, "refusal": None}
    assert _sent(world, tenant, 0) == (200, "daily_limit")


def test_failover_without_another_address(world: World) -> None:
    tenant, address = _busy_sender(world)
    told = world.call("replace_smtp_ip", address, False, NOW)
    assert told == {
        "replacement": None, "expected": 150, "room": 50000, "refusal": "no_free_address",
    }  # fmt: skip
    assert world.get("smtp_ips", address)["owner_tenant_id"] == tenant
    told = world.call("replace_smtp_ip", address, True, NOW)
    assert (told["room"], told["refusal"]) == (0, "no_free_address")
    assert _sent(world, tenant, 0) == (0, "ip_warming")
    assert world.call("replace_smtp_ip", address, True, NOW)["refusal"] == "not_assigned"


def test_rotation_takes_what_is_lost_and_rests_it(world: World) -> None:
    tenants = [world.tenant() for _ in range(4)]
    instance, bands = world.instance(), ["throttled", "quarantined", "quarantined", "blocked"]
    # Ids that are made within a millisecond come in any order, and rotation goes by it.
    addresses = sorted(world.address(instance, **warm(NOW)) for _ in bands)
    for tenant, address, health in zip(tenants, addresses, bands, strict=True):
        world.call("assign_smtp_ip", tenant, address, NOW)
        world.update("smtp_ips", address, health=health)
    fresh = world.address(world.instance())
    moves = {
        row["smtp_ip"]: (row["replacement"], row["refusal"])
        for row in call(world.platform, "rotate_smtp_ips", NOW)
    }
    assert moves == {
        addresses[3]: (fresh, None),  # who has it can send nothing
        addresses[1]: (None, "no_free_address"),
        addresses[2]: (None, "no_free_address"),
    }
    statuses = [world.get("smtp_ips", a)["status"] for a in addresses]
    assert statuses == ["assigned", "assigned", "assigned", "resting"]

    assert world.call("reinstate_rested_ips", NOW + 28 * DAY)["reinstate_rested_ips"] == 0
    assert world.call("reinstate_rested_ips", NOW + 29 * DAY)["reinstate_rested_ips"] == 1
    given = world.call("allocate_smtp_ip", tenants[3], NOW + 30 * DAY)["smtp_ip_id"]
    assert given == addresses[3]
    assert world.get("smtp_ips", given)["health"] == "healthy"
    room = world.value("select infrastructure.address_room(i, %s) from infrastructure.smtp_ips i"
                       " where id = %s", NOW + 30 * DAY, given)  # fmt: skip
    assert room == 100  # cold again


def test_a_failed_server_hands_its_addresses_over(world: World) -> None:
    instance = world.instance()
    tenants = [world.tenant() for _ in range(2)]
    addresses = [world.address(instance) for _ in range(3)]
    for tenant, address in zip(tenants, addresses[:2], strict=True):
        world.call("assign_smtp_ip", tenant, address, NOW)
    others = {world.address(world.instance()) for _ in range(2)}
    found = call(world.platform, "fail_vps_instance", instance, NOW)
    assert {row["replacement"] for row in found} == others
    owners = world.value(
        "select array_agg(owner_tenant_id) from infrastructure.smtp_ips where id = any(%s)",
        list(others),
    )
    assert set(owners) == set(tenants)
    assert world.call("allocate_smtp_ip", tenants[0], NOW)["refusal"] == "no_free_address"
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="failed already"):
        call(world.platform, "fail_vps_instance", instance, NOW)
    assert_consistent(world)


def test_a_server_is_drained_before_it_retires(world: World) -> None:
    instance = world.instance(cents=0)
    tenants = [world.tenant() for _ in range(2)]
    addresses = sorted(world.address(instance) for _ in range(3))
    for tenant, address in zip(tenants, addresses[:2], strict=True):
        world.call("assign_smtp_ip", tenant, address, NOW)
    other = world.address(world.instance(cents=9000))
    moves = [row["refusal"] for row in call(world.platform, "drain_vps_instance", instance, NOW)]
    assert moves == [None, "no_free_address"]
    assert world.get("smtp_ips", addresses[1])["owner_tenant_id"] == tenants[1], "it goes on"
    assert world.call("assign_smtp_ip", tenants[0], addresses[2], NOW) == {
        "assign_smtp_ip": "not_available"
    }
    with pytest.raises(psycopg.errors.CheckViolation, match="1 of its addresses are assigned"):
        world.call("retire_vps_instance", instance, NOW)
    world.address(world.instance())
    (moved,) = call(world.platform, "drain_vps_instance", instance, NOW)
    assert (moved["smtp_ip"], moved["refusal"]) == (addresses[1], None)
    world.call("retire_vps_instance", instance, NOW)
    assert world.get("smtp_ips", other)["owner_tenant_id"] == tenants[0]
    assert_consistent(world)


def test_sessions_share_a_storm_and_leave_what_recovers(world: World) -> None:
    instance = world.instance()
    addresses = [world.address(instance) for _ in range(6)]
    for address in addresses:
        world.call("assign_smtp_ip", world.tenant(), address, NOW)
        assert world.call("report_blocklisting", address, True, NOW) == {
            "report_blocklisting": "blocked"
        }
    spare = world.address(world.instance())
    with world.database.connect("lab_platform") as first:
        call(first, "rotate_smtp_ips", NOW, 2)
        recovered = world.value(
            "select id from infrastructure.smtp_ips where owner_tenant_id is not null"
            " order by id desc limit 1"
        )
        world.call("report_blocklisting", recovered, False, NOW)
        rest = call(world.platform, "rotate_smtp_ips", NOW)  # waits for nobody
        first.commit()
    assert len(rest) == 3
    assert recovered not in {row["smtp_ip"] for row in rest}
    assert world.get("smtp_ips", recovered)["health"] == "watched"
    assert world.get("smtp_ips", spare)["status"] == "assigned"
    told = world.call("address_shortage", NOW)["address_shortage"]
    assert told.startswith(
        "no address is free: 2 are assigned, 5 rest (the first until 2026-04-01)"
    )
    assert_consistent(world)


def test_who_waits_is_supplied_once(world: World) -> None:
    tenant, _, address = world.sender()
    world.call("release_smtp_ip", address, NOW)
    world.tenant()  # without a domain it needs none
    world.address(world.instance())

    def session(connection: psycopg.Connection, _: int) -> int:
        return len(call(connection, "supply_smtp_ips", NOW))

    assert sum(world.race(4, session)) == 1
    owned = "select count(*) from infrastructure.smtp_ips where owner_tenant_id = %s"
    assert world.value(owned, tenant) == 1
    assert world.call("address_shortage", NOW) == {"address_shortage": None}


@pytest.mark.parametrize("function", ["allocate_smtp_ip", "assign_smtp_ip"])
def test_what_is_being_assigned_moves_with_the_rest_of_a_failed_server(
    world: World, function: str
) -> None:
    instance = world.instance(cents=0)
    address = world.address(instance)
    other = world.address(world.instance(cents=9000))
    tenant = world.tenant()
    asked = [tenant, address, NOW] if function == "assign_smtp_ip" else [tenant, NOW]
    with world.database.connect("lab_platform") as slow, ThreadPoolExecutor(1) as pool:
        call(slow, function, *asked)
        with world.database.connect("lab_platform", autocommit=True) as failing:
            moves = pool.submit(call, failing, "fail_vps_instance", instance, NOW)
            with suppress(TimeoutError):  # it waits for the assignment
                moves.result(timeout=0.3)
            slow.commit()
            found = {row["smtp_ip"]: row["replacement"] for row in moves.result(timeout=30)}
    assert found == {address: other}
    assert world.get("smtp_ips", address)["status"] == "available"
    assert_consistent(world)


def test_nothing_is_assigned_on_a_server_that_is_failing(world: World) -> None:
    instance = world.instance(cents=0)
    addresses = [world.address(instance) for _ in range(2)]
    tenant = world.tenant()
    with world.database.connect("lab_platform") as failing, ThreadPoolExecutor(1) as pool:
        call(failing, "fail_vps_instance", instance, NOW)
        assert world.call("allocate_smtp_ip", tenant, NOW)["refusal"] == "no_free_address"
        with world.database.connect("lab_platform", autocommit=True) as asking:
            answer = pool.submit(call, asking, "assign_smtp_ip", tenant, addresses[0], NOW)
            with suppress(TimeoutError):  # it waits for the failure
                answer.result(timeout=0.3)
            failing.commit()
            assert answer.result(timeout=30) == [{"assign_smtp_ip": "not_available"}]
    assert world.call("assign_smtp_ip", tenant, addresses[1], NOW) == {
        "assign_smtp_ip": "not_available"
    }


@pytest.mark.parametrize("giving_up", ["decommission_domain", "release_tenant"])
def test_who_gives_up_takes_nobody_elses_address(world: World, giving_up: str) -> None:
    tenant, account, address = world.sender()
    other = world.tenant()
    asked = [tenant, NOW]
    if giving_up == "decommission_domain":
        asked.insert(1, world.get("email_accounts", account)["domain_id"])
    with world.database.connect("lab_platform") as meanwhile, ThreadPoolExecutor(1) as pool:
        call(meanwhile, "release_smtp_ip", address, NOW)
        call(meanwhile, "assign_smtp_ip", other, address, NOW)
        with world.database.connect("lab_platform", autocommit=True) as leaving:
            answer = pool.submit(call, leaving, giving_up, *asked)
            with suppress(TimeoutError):  # it waits for who moves the address
                answer.result(timeout=0.3)
            meanwhile.commit()
            assert answer.result(timeout=30)[0]["addresses_released"] == 0
    assert world.get("smtp_ips", address)["owner_tenant_id"] == other
    assert_consistent(world)


def test_a_server_retires_when_nobody_is_left_on_it(world: World) -> None:
    instance = world.instance()
    address = world.address(instance)
    world.call("assign_smtp_ip", world.tenant(), address, NOW)
    with pytest.raises(psycopg.errors.CheckViolation, match="1 of its addresses are assigned"):
        world.call("retire_vps_instance", instance, NOW)
    world.call("release_smtp_ip", address, NOW)
    world.call("retire_vps_instance", instance, NOW)
    assert world.get("vps_instances", instance)["status"] == "retired"
    assert world.get("smtp_ips", address)["status"] == "retired"
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="retired already"):
        world.call("retire_vps_instance", instance, NOW)


def test_retiring_a_server_and_assigning_its_address_race(world: World) -> None:
    tenant = world.tenant()
    for _ in range(10):
        instance = world.instance()
        address = world.address(instance)

        def session(connection: psycopg.Connection, n: int, i=instance, a=address) -> object:
            try:
                if n:
                    return call(connection, "assign_smtp_ip", tenant, a, NOW)[0]["assign_smtp_ip"]
                return call(connection, "retire_vps_instance", i, NOW) and None
            except psycopg.errors.CheckViolation:
                return "in use"

        assert sorted(map(str, world.race(2, session))) in (
            ["None", "in use"], ["None", "not_available"],
        )  # fmt: skip
    assert_consistent(world)


def test_a_tenant_who_is_purged_leaves_the_shared_tables(world: World) -> None:
    tenant, account, address = world.sender()
    instance = world.get("smtp_ips", address)["vps_instance_id"]
    cost = world.insert(
        "costs", vps_instance_id=instance, starts_on=NOW.date(), ends_on=NOW.date() + DAY, cents=7
    )
    world.sends(tenant, account, address, sent=1)
    world.call("attribute_costs", NOW.date(), NOW.date() + DAY, NOW + DAY)
    assert world.call("release_tenant", tenant, NOW) == {
        "addresses_released": 1, "assignments_removed": 1,
        "names_released": 1, "shares_detached": 1,
    }  # fmt: skip
    assert (
        world.value("select sum(cents) from infrastructure.cost_shares where cost_id = %s", cost)
        == 7
    )
    for table in ("smtp_ips", "ip_assignments", "verified_domains", "cost_shares"):
        statement = pg.SQL(
            "select count(*) from infrastructure.{} where owner_tenant_id = %s"
        ).format(pg.Identifier(table))
        assert world.platform.execute(statement, [tenant]).fetchone() == (0,)
