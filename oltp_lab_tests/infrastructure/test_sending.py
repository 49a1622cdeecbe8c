"""Leave to send: who sends next, how much a day, through which address, and why not."""

import uuid
from datetime import datetime, timedelta

import psycopg
import pytest

from oltp_lab_tests.infrastructure.world import DAY, NOW, World, call, warm

NO_GAP = timedelta(0)


def take(world: World, tenant: uuid.UUID, at: datetime = NOW) -> dict:
    return world.call("take_send_slot", tenant, at)


def test_the_curves_are_the_published_ones(world: World) -> None:
    curves: dict[str, list[int]] = {}
    for row in world.rows(
        "select curve, allowance from infrastructure.warmup_steps order by 1, day"
    ):
        curves.setdefault(row["curve"], []).append(row["allowance"])
    assert curves == {
        "sendgrid": [
            20, 28, 39, 55, 77, 108, 151, 211, 295, 413, 579, 810, 1000, 1587, 2222, 3111, 4356,
            6098, 8583, 11953, 16734,
        ],
        "ghost": [round(200 * 1000 ** (day / 41)) for day in range(42)],
        "ses": [round(50 * 1000 ** (day / 44)) for day in range(45)],
        "standard": [min(50000, round(100 * 1.4**day)) for day in range(20)],
        "mailbox": list(range(10, 51, 5)),
    }  # fmt: skip
    assert world.value(
        "select array_agg(distinct curve) from infrastructure.warmup_steps where period = 'hour'"
    ) == ["sendgrid"]


def test_a_mailbox_warms_up_on_the_days_that_it_sends(world: World) -> None:
    tenant, account, _ = world.sender(minimum_gap=NO_GAP)
    days = [0, 1, 2, 7, 8, 9, 10, 11, 12, 13, 14]  # idle between 2 and 7
    sent = [len(world.drain(tenant, NOW + day * DAY)[0]) for day in days]
    assert sent == [10, 15, 20, 25, 30, 35, 40, 45, 50, 50, 50]

    after = NOW + 14 * DAY + timedelta(days=29, hours=23)
    assert len(world.drain(tenant, after)[0]) == 50
    assert len(world.drain(tenant, after + 30 * DAY)[0]) == 10
    assert world.get("email_accounts", account)["warmup_day"] == 0


def test_an_hourly_curve_counts_by_the_hour(world: World) -> None:
    tenant, account, address = world.sender(minimum_gap=NO_GAP, daily_cap=1000, **warm(NOW))
    world.update("smtp_ips", address, warmup_curve="sendgrid", warmup_day=0, last_sent_at=None)
    hours = [0, 1, 2, 14, 15]  # NOW is 10:00; the next day begins with the fourth
    found = [world.drain(tenant, NOW + timedelta(hours=h)) for h in hours]
    assert [(len(slots), why) for slots, why in found] == [
        (20, "ip_warming"), (20, "ip_warming"), (20, "ip_warming"),
        (28, "ip_warming"), (28, "ip_warming"),
    ]  # fmt: skip
    counted = world.rows(
        "select day, sum(sent) as sent, sum(account_allowance) as account,"
        " sum(address_allowance) as address from infrastructure.daily_sends group by day order by 1"
    )
    assert [(row["sent"], row["account"], row["address"]) for row in counted] == [
        (60, 1000, 60),
        (56, 1000, 56),
    ]
    assert world.get("email_accounts", account)["sent_in_period"] == 56


def test_who_has_waited_longest_sends_next(world: World) -> None:
    tenant, first, _ = world.sender()
    second, third = (world.account(tenant, world.domain(tenant)) for _ in range(2))
    order = [
        take(world, tenant, NOW + timedelta(minutes=4 * n))["email_account_id"] for n in range(9)
    ]
    assert set(order[:3]) == {first, second, third}
    assert order[3:6] == order[:3] == order[6:9]


def test_the_minimum_gap(world: World) -> None:
    tenant, account, address = world.sender(minimum_gap=timedelta(seconds=600))
    slot = {"email_account_id": account, "smtp_ip_id": address, "refusal": None}
    refused = {"email_account_id": None, "smtp_ip_id": None, "refusal": "minimum_gap"}
    found = [take(world, tenant, NOW + timedelta(seconds=s)) for s in (0, 1, 599, 600, 1199, 1200)]
    assert found == [slot, refused, refused, slot, refused, slot]


def test_a_lower_cap_holds_at_once_and_a_higher_one_from_tomorrow(world: World) -> None:
    tenant, account, _ = world.sender(minimum_gap=NO_GAP, **warm(NOW))
    assert take(world, tenant)["refusal"] is None
    world.call("set_email_account_limits", tenant, account, 3, NO_GAP, NOW)
    assert [len(world.drain(tenant, NOW)[0]), world.drain(tenant, NOW)[1]] == [2, "daily_limit"]
    world.call("set_email_account_limits", tenant, account, 60, NO_GAP, NOW)
    assert len(world.drain(tenant, NOW)[0]) == 47  # today's allowance was fifty
    assert len(world.drain(tenant, NOW + DAY)[0]) == 60


@pytest.mark.parametrize(
    ("health", "sent"),
    [("healthy", 50), ("watched", 50), ("throttled", 25), ("quarantined", 5), ("blocked", 0)],
)
@pytest.mark.parametrize("subject", ["email_accounts", "domains"])
def test_health_shrinks_the_volume(world: World, subject: str, health: str, sent: int) -> None:
    tenant, account, _ = world.sender(minimum_gap=NO_GAP, **warm(NOW))
    domain = world.get("email_accounts", account)["domain_id"]
    world.update(subject, account if subject == "email_accounts" else domain, health=health)
    slots, refusal = world.drain(tenant, NOW)
    assert (len(slots), refusal) == (sent, "daily_limit" if sent else "no_account")


def test_an_unhealthy_address_shrinks_and_the_overflow_goes_to_another(world: World) -> None:
    tenant, _, ill = world.sender(minimum_gap=NO_GAP, **warm(NOW))
    world.update("smtp_ips", ill, health="quarantined", daily_cap=100)
    assert world.drain(tenant, NOW)[1] == "ip_warming"
    fit = world.address(world.instance(), **warm(NOW))
    world.call("assign_smtp_ip", tenant, fit, NOW)
    slots, refusal = world.drain(tenant, NOW)
    assert refusal == "daily_limit"
    assert [slot["smtp_ip_id"] for slot in slots] == [fit] * 40
    assert world.get("smtp_ips", ill)["sent_in_period"] == 10


def test_a_mailbox_keeps_to_its_address_while_there_is_room(world: World) -> None:
    tenant, _, first = world.sender(minimum_gap=NO_GAP, **warm(NOW))
    addresses = [first] + [world.address(world.instance(), **warm(NOW)) for _ in range(2)]
    for address in addresses[1:]:
        world.call("assign_smtp_ip", tenant, address, NOW)
    used = {slot["smtp_ip_id"] for slot in world.drain(tenant, NOW)[0]}
    assert len(used) == 1
    world.call("release_smtp_ip", used.pop(), NOW + DAY)
    moved = {slot["smtp_ip_id"] for slot in world.drain(tenant, NOW + DAY)[0]}
    assert len(moved) == 1
    assert moved < set(addresses)


def test_providers_deliver_by_themselves(world: World) -> None:
    tenant = world.tenant()
    account = world.account(tenant, world.domain(tenant), provider="google")
    slot = take(world, tenant)
    assert slot == {"email_account_id": account, "smtp_ip_id": None, "refusal": None}
    world.account(tenant, world.domain(tenant))  # has no address to send through
    assert take(world, tenant)["refusal"] == "minimum_gap"
    world.call("set_email_account_status", tenant, account, "paused", NOW)
    assert take(world, tenant)["refusal"] == "ip_warming"


def test_refusals(world: World) -> None:
    tenant, account, address = world.sender(minimum_gap=NO_GAP, **warm(NOW))
    assert take(world, world.tenant())["refusal"] == "no_account"
    for broken in (
        ("email_accounts", account, {"status": "paused"}, {"status": "active"}, "no_account"),
        ("email_accounts", account, {"health": "blocked"}, {"health": "healthy"}, "no_account"),
        ("smtp_ips", address, {"health": "blocked"}, {"health": "healthy"}, "ip_warming"),
    ):
        table, key, damage, repair, refusal = broken
        world.update(table, key, **damage)
        assert take(world, tenant)["refusal"] == refusal
        world.update(table, key, **repair)
    domain = world.get("email_accounts", account)["domain_id"]
    world.answer(tenant, domain, {"spf": []}, NOW + DAY)
    assert take(world, tenant)["refusal"] == "no_account"
    world.answer(tenant, domain, world.good(domain), NOW + 2 * DAY)
    assert take(world, tenant, NOW + 2 * DAY)["refusal"] is None
    world.call("release_smtp_ip", address, NOW + 2 * DAY)
    assert take(world, tenant, NOW + 2 * DAY)["refusal"] == "ip_warming"


def test_an_unknown_curve_is_told(world: World) -> None:
    tenant, account, _ = world.sender()
    world.update("email_accounts", account, warmup_curve="nonsense")
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="no warm-up curve nonsense"):
        take(world, tenant)


@pytest.mark.parametrize("provider", ["smtp", "google"])
def test_racing_at_limit_minus_one_lets_one_through(world: World, provider: str) -> None:
    tenant, _, _ = world.sender(provider=provider, minimum_gap=NO_GAP, daily_cap=5, **warm(NOW))
    for _ in range(4):
        assert take(world, tenant)["refusal"] is None
    found = world.race(8, lambda c, _: call(c, "take_send_slot", tenant, NOW)[0])
    assert sum(slot["refusal"] is None for slot in found) == 1
    assert {slot["refusal"] for slot in found} <= {None, "daily_limit", "minimum_gap"}
    assert take(world, tenant)["refusal"] == "daily_limit"


def test_racing_sessions_use_up_an_address_exactly(world: World) -> None:
    tenant, _, address = world.sender(minimum_gap=NO_GAP, **warm(NOW))
    for _ in range(5):
        world.account(tenant, world.domain(tenant), minimum_gap=NO_GAP, **warm(NOW))
    world.update("smtp_ips", address, warmup_day=0, last_sent_at=None)  # a hundred today

    def session(connection: psycopg.Connection, _: int) -> int:
        sent = 0
        while True:
            (slot,) = call(connection, "take_send_slot", tenant, NOW)
            connection.commit()
            if slot["refusal"] == "ip_warming":
                return sent
            sent += slot["refusal"] is None

    assert sum(world.race(4, session)) == 100
    assert world.value("select sum(sent) from infrastructure.daily_sends") == 100
    assert world.get("smtp_ips", address)["sent_in_period"] == 100


def test_batches_of_slots_and_outcomes_do_not_deadlock(world: World) -> None:
    tenant, first, _ = world.sender(minimum_gap=NO_GAP, **warm(NOW))
    accounts = [first]
    for _ in range(5):
        accounts.append(
            world.account(tenant, world.domain(tenant), minimum_gap=NO_GAP, **warm(NOW))
        )
        address = world.address(world.instance(), **warm(NOW))
        world.call("assign_smtp_ip", tenant, address, NOW)

    def session(connection: psycopg.Connection, n: int) -> int:
        sent = 0
        for batch in range(10):
            for k in range(6):
                if n % 2:
                    account = accounts[(batch + k) % len(accounts)]
                    connection.execute(
                        "select infrastructure.record_delivery_outcome(%s, %s, %s, %s)",
                        [tenant, account, "soft_bounced", NOW],
                    )
                    connection.commit()
                else:
                    (slot,) = call(connection, "take_send_slot", tenant, NOW)
                    sent += slot["refusal"] is None
            connection.commit()
        return sent

    sent = sum(world.race(4, session))
    assert sent > 0
    counted = world.rows(
        "select sum(sent) as sent, sum(soft_bounces) as bounced from infrastructure.daily_sends"
    )
    assert counted == [{"sent": sent, "bounced": 120}]


def test_outcomes_are_counted_where_they_belong(world: World) -> None:
    tenant, account, address = world.sender(minimum_gap=NO_GAP)
    take(world, tenant)
    kinds = ["soft_bounced", "hard_bounced", "hard_bounced", "complained"]
    for kind in kinds:
        world.call("record_delivery_outcome", tenant, account, kind, NOW)
    world.call("record_delivery_outcome", tenant, account, "complained", NOW + DAY)
    assert world.rows(
        "select day, smtp_ip_id, sent, soft_bounces, hard_bounces, complaints"
        " from infrastructure.daily_sends order by day"
    ) == [
        {"day": NOW.date(), "smtp_ip_id": address, "sent": 1, "soft_bounces": 1,
         "hard_bounces": 2, "complaints": 1},
        {"day": NOW.date() + DAY, "smtp_ip_id": address, "sent": 0, "soft_bounces": 0,
         "hard_bounces": 0, "complaints": 1},
    ]  # fmt: skip
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="not opened"):
        world.call("record_delivery_outcome", tenant, account, "opened", NOW)
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="does not exist"):
        world.call("record_delivery_outcome", world.tenant(), account, "complained", NOW)
