"""Who bears what was paid, how well it is used, and where it is cheaper."""

from collections.abc import Mapping
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oltp_lab_tests.infrastructure.world import DAY, NOW, World, call

START, END = NOW.date(), NOW.date() + 30 * DAY
AFTER = NOW + 31 * DAY


def attribute(world: World) -> int:
    return world.call("attribute_costs", START, END, AFTER)["attribute_costs"]


def shares(world: World) -> list[dict[str, Any]]:
    return world.rows("select * from infrastructure.cost_shares")


def assert_shares_sum_to_what_was_paid(world: World) -> None:
    assert (
        world.rows(
            "select c.id from infrastructure.costs c left join infrastructure.cost_shares s"
            " on s.cost_id = c.id group by c.id having coalesce(sum(s.cents), -1) <> c.cents"
        )
        == []
    )


def largest_remainder(cents: int, weights: Mapping[Any, int]) -> dict[Any, int]:
    """Hamilton's method: https://en.wikipedia.org/wiki/Largest_remainder_method."""
    quotas = {key: Fraction(cents * w, sum(weights.values())) for key, w in weights.items()}
    whole = {key: quota.numerator // quota.denominator for key, quota in quotas.items()}
    order = sorted(quotas, key=lambda key: (whole[key] - quotas[key], key))
    for key in order[: cents - sum(whole.values())]:
        whole[key] += 1
    return whole


@st.composite
def uses(draw: st.DrawFn) -> tuple[int, list[list[int]]]:
    """Cents, and for each address the mails of each account (few values, for ties)."""
    mails = st.sampled_from([0, 1, 1, 2, 3, 1000]) | st.integers(0, 2_000_000_000)
    return draw(st.integers(0, 10**7) | st.integers(0, 10)), draw(
        st.lists(st.lists(mails, min_size=3, max_size=3), min_size=1, max_size=3)
    )


def test_shares_are_those_of_the_largest_remainder(world: World) -> None:
    tenants = [world.tenant() for _ in range(3)]
    accounts = [world.account(tenant, world.domain(tenant)) for tenant in tenants]

    @settings(max_examples=40)
    @given(uses())
    def add_up(example: tuple[int, list[list[int]]]) -> None:
        cents, mails = example
        world.run("delete from infrastructure.cost_shares")
        world.run("delete from infrastructure.costs")
        world.run("delete from infrastructure.daily_sends")
        instance = world.instance(cents=cents)
        weights = {}
        for counts in mails:
            address = world.address(instance)
            for tenant, account, sent in zip(tenants, accounts, counts, strict=True):
                world.sends(tenant, account, address, sent=sent)
                weights[address, account] = sent
        attribute(world)
        assert_shares_sum_to_what_was_paid(world)
        if sum(weights.values()):
            found = {(s["smtp_ip_id"], s["email_account_id"]): s["cents"] for s in shares(world)}
            assert found == largest_remainder(cents, {k: w for k, w in weights.items() if w})

    add_up()


def test_from_the_server_to_the_tenant(world: World) -> None:
    first, account, address = world.sender()
    second = world.tenant()
    other = world.account(second, world.domain(second))
    instance = world.get("smtp_ips", address)["vps_instance_id"]
    neighbour = world.address(instance)
    world.insert("costs", vps_instance_id=instance, starts_on=START, ends_on=END, cents=1000)
    own = world.insert("costs", vps_instance_id=instance, smtp_ip_id=address, starts_on=START,
                       ends_on=END, cents=200)  # fmt: skip
    world.sends(first, account, address, sent=2)
    world.sends(first, account, address, day=END - DAY, sent=1)
    world.sends(first, account, address, day=END, sent=1000)  # the next period's
    world.sends(second, other, neighbour, sent=6, hard_bounces=5)

    assert attribute(world) == 3
    found = {(s["cost_id"] == own, s["smtp_ip_id"], s["email_account_id"], s["owner_tenant_id"],
              s["sent"], s["cents"]) for s in shares(world)}  # fmt: skip
    assert found == {
        (False, address, account, first, 3, 333),
        (False, neighbour, other, second, 6, 667),
        (True, address, account, first, 3, 200),
    }
    costs = {row["tenant"]: row for row in call(world.platform, "tenant_costs", START, END)}
    assert costs == {
        first: {"tenant": first, "sent": 3, "cents": 533,
                "cents_per_thousand": pytest.approx(533_000 / 3)},
        second: {"tenant": second, "sent": 6, "cents": 667,
                 "cents_per_thousand": pytest.approx(667_000 / 6)},
    }  # fmt: skip
    used = {row["id"]: row for row in call(world.platform, "resource_use", START, END)}
    assert {
        key: (used[key]["resource"], used[key]["sent"], used[key]["cents"]) for key in used
    } == {
        instance: ("vps_instance", 9, 1200),
        address: ("smtp_ip", 3, 533),
        neighbour: ("smtp_ip", 6, 667),
        account: ("email_account", 3, 533),
        other: ("email_account", 6, 667),
    }
    assert used[address]["capacity"] == 30 * 50_000
    assert used[account]["utilisation"] == pytest.approx(3 / 1500)


def test_what_nobody_used_goes_to_who_held_it(world: World) -> None:
    first, second = world.tenant(), world.tenant()
    instance = world.instance(cents=1000)
    for tenant, begins, ends in ((first, -5, 10), (second, 10, 15), (second, 15, None)):
        world.insert(
            "ip_assignments", smtp_ip_id=world.address(instance), owner_tenant_id=tenant,
            assigned_at=NOW.replace(hour=0) + begins * DAY,
            released_at=None if ends is None else NOW.replace(hour=0) + ends * DAY,
        )  # fmt: skip
    attribute(world)
    borne = call(world.platform, "tenant_costs", START, END)
    assert {row["tenant"]: (row["sent"], row["cents"]) for row in borne} == {
        first: (0, 333), second: (0, 667),
    }  # fmt: skip
    assert_shares_sum_to_what_was_paid(world)


@pytest.mark.parametrize("addresses", [0, 2])
def test_what_nobody_held_the_platform_bears(world: World, addresses: int) -> None:
    instance = world.instance(cents=1000)
    for _ in range(addresses):
        world.address(instance)
    attribute(world)
    assert call(world.platform, "tenant_costs", START, END) == [
        {"tenant": None, "sent": 0, "cents": 1000, "cents_per_thousand": None}
    ]


def test_closed_books_stay_closed(world: World) -> None:
    tenant, account, address = world.sender()
    instance = world.get("smtp_ips", address)["vps_instance_id"]
    world.insert("costs", vps_instance_id=instance, starts_on=START, ends_on=END, cents=100)
    world.sends(tenant, account, address, sent=1)
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="the period is not over"):
        world.call("attribute_costs", START, END, NOW)
    assert [attribute(world), attribute(world)] == [1, 0]
    before = shares(world)
    world.sends(tenant, account, address, day=END - DAY, sent=1)
    assert attribute(world) == 0
    assert shares(world) == before


def test_two_at_once_share_once(world: World) -> None:
    for _ in range(5):
        tenant, account, address = world.sender()
        instance = world.get("smtp_ips", address)["vps_instance_id"]
        world.insert("costs", vps_instance_id=instance, starts_on=START, ends_on=END, cents=100)
        world.sends(tenant, account, address, sent=3)
    written = world.race(
        4, lambda c, _: call(c, "attribute_costs", START, END, AFTER)[0]["attribute_costs"]
    )
    assert sorted(written) == [0, 0, 0, 5]
    assert_shares_sum_to_what_was_paid(world)


def test_nothing_is_paid_twice_for_a_day(world: World) -> None:
    instance = world.instance(cents=100)
    address = world.address(instance)
    stranger = world.address(world.instance())

    def pay(begins: date, ends: date, **columns: Any) -> None:
        world.insert("costs", vps_instance_id=instance, starts_on=begins, ends_on=ends, cents=1,
                     **columns)  # fmt: skip

    pay(START, END, smtp_ip_id=address)
    pay(END, END + DAY)
    with pytest.raises(psycopg.errors.ExclusionViolation):
        pay(END - DAY, END)
    with pytest.raises(psycopg.errors.ExclusionViolation):
        pay(START + DAY, END, smtp_ip_id=address)
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        pay(START, END, smtp_ip_id=stranger)  # an address of another server
    with pytest.raises(psycopg.errors.CheckViolation, match="costs_span_check"):
        pay(END + DAY, END + timedelta(days=33))


def test_idle_addresses_and_servers(world: World) -> None:
    busy, half, idle = (world.instance(cents=3000) for _ in range(3))
    used = [world.address(i, last_sent_at=NOW) for i in (busy, half)]
    unused = [world.address(i, last_sent_at=NOW - 40 * DAY) for i in (half, idle)]
    never = world.address(idle, created_at=NOW - 40 * DAY)
    found = call(world.platform, "idle_resources", NOW)
    assert {(row["resource"], row["id"], row["monthly_cents"]) for row in found} == {
        ("smtp_ip", unused[0], 1500),
        ("smtp_ip", unused[1], 1500),
        ("smtp_ip", never, 1500),
        ("vps_instance", idle, 3000),
    }
    assert not {row["id"] for row in found} & {*used, busy, half}
    fresh = call(world.platform, "idle_resources", NOW, timedelta(days=41))
    assert fresh == []


def test_servers_that_could_be_given_up(world: World) -> None:
    tenant = world.tenant()
    dear, cheap, full = world.instance(9000), world.instance(1000), world.instance(50_000)
    taken = [world.address(dear), *[world.address(full) for _ in range(3)]]
    for _ in range(2):
        world.address(cheap)
    for address in taken:
        world.call("assign_smtp_ip", tenant, address, NOW)

    def placements() -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in call(world.platform, "cheaper_placements", NOW)]

    assert placements() == [(dear, 1, 2, 9000), (cheap, 0, 0, 1000)]
    world.call("replace_smtp_ip", taken[0], True, NOW)
    world.call("retire_vps_instance", dear, NOW)
    assert placements() == []
