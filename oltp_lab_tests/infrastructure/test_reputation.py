"""Bands of reputation: entered at once, left one at a time and later than entered."""

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import sql as pg

from oltp_lab_tests.infrastructure.world import DAY, NOW, World

BANDS = ("healthy", "watched", "throttled", "quarantined", "blocked")
ENTER = {"bounces": (200, 500, 800, 1000), "complaints": (10, 20, 30, 50)}
LEAVE = {"bounces": (150, 400, 600, 0), "complaints": (8, 15, 20, 0)}  # blocked: never


def expected_health(health: str, sent: int, bounces: int, complaints: int) -> str:
    """The documented rule, in another language."""
    entered = 0
    for counts, volume, kind in ((bounces, 100, "bounces"), (complaints, 1000, "complaints")):
        for severity, threshold in enumerate(ENTER[kind], start=1):
            if sent >= volume and counts * 10_000 >= threshold * sent:
                entered = max(entered, severity)
    severity = BANDS.index(health)
    if entered >= severity or severity == 0:
        return BANDS[max(entered, severity)]
    limits = [(bounces, LEAVE["bounces"]), (complaints, LEAVE["complaints"])]
    below = [counts * 10_000 < limit[severity - 1] * sent for counts, limit in limits]
    return BANDS[severity - 1 if sent >= 20 and all(below) else severity]


@st.composite
def outcomes(draw: st.DrawFn) -> tuple[int, int, int]:
    sent = draw(st.sampled_from([0, 19, 20, 99, 100, 999, 1000]) | st.integers(0, 20_000))
    bounces = draw(st.integers(0, sent // 8 + 1))
    return sent, bounces, draw(st.integers(0, sent // 150 + 1))


def test_health_follows_the_documented_rule(world: World) -> None:
    @settings(max_examples=400)
    @given(st.sampled_from(BANDS), outcomes())
    def follows(health: str, counts: tuple[int, int, int]) -> None:
        found = world.value("select infrastructure.next_health(%s, %s, %s, %s)", health, *counts)
        assert found == expected_health(health, *counts)

    follows()


def test_equal_samples_come_to_rest(world: World) -> None:
    """Hysteresis: the same rates again and again never make a band flutter."""

    @settings(max_examples=60)
    @given(st.sampled_from(BANDS), outcomes())
    def rests(health: str, counts: tuple[int, int, int]) -> None:
        path = [BANDS.index(health)]
        for _ in range(6):
            health = world.value(
                "select infrastructure.next_health(%s, %s, %s, %s)", health, *counts
            )
            path.append(BANDS.index(health))
        assert path[-1] == path[-2]
        assert path[1:] == sorted(path[1:], reverse=True)

    rests()


def test_between_the_thresholds_nothing_changes(world: World) -> None:
    def health(now: str, bounces: int) -> str:
        return world.value("select infrastructure.next_health(%s, 10000, %s, 0)", now, bounces)

    assert [health("healthy", b) for b in (499, 500)] == ["watched", "throttled"]
    assert [health("throttled", b) for b in (499, 400, 399)] == [
        "throttled", "throttled", "watched",
    ]  # fmt: skip
    assert health("blocked", 0) == "blocked"


def test_accounts_domains_and_addresses_are_judged_apart(world: World) -> None:
    tenant, bad, address = world.sender()
    domain = world.get("email_accounts", bad)["domain_id"]
    good = world.account(tenant, domain)
    world.sends(tenant, bad, address, sent=100, hard_bounces=10)
    world.sends(tenant, good, address, sent=100)
    changed = world.call("sample_reputation", tenant, NOW)["sample_reputation"]
    assert changed == 3
    assert [world.get("email_accounts", a)["health"] for a in (bad, good)] == ["blocked", "healthy"]
    assert world.get("domains", domain)["health"] == "throttled"
    assert world.get("smtp_ips", address)["health"] == "throttled"
    samples = world.rows(
        "select subject, subject_id, sent, bounces, complaints, health"
        " from infrastructure.reputation_samples"
    )
    assert sorted(samples, key=str) == sorted(
        [
            {"subject": subject, "subject_id": key, "sent": sent, "bounces": bounces,
             "complaints": 0, "health": health}
            for subject, key, sent, bounces, health in (
                ("email_account", bad, 100, 10, "blocked"),
                ("email_account", good, 100, 0, "healthy"),
                ("domain", domain, 200, 10, "throttled"),
                ("smtp_ip", address, 200, 10, "throttled"),
            )
        ],
        key=str,
    )  # fmt: skip


def test_only_the_last_seven_days_count(world: World) -> None:
    tenant, account, address = world.sender()
    world.sends(tenant, account, address, day=(NOW - 7 * DAY).date(), sent=100, hard_bounces=100)
    world.sends(tenant, account, address, day=(NOW - 6 * DAY).date(), sent=100, hard_bounces=3)
    world.sends(tenant, account, address, day=(NOW + DAY).date(), sent=1)
    assert world.call("sample_reputation", tenant, NOW)["sample_reputation"] == 3
    assert world.get("email_accounts", account)["health"] == "watched"
    assert world.value("select max(sent) from infrastructure.reputation_samples") == 100


def test_sampling_twice_at_once_is_harmless(world: World) -> None:
    tenant, account, address = world.sender()
    world.sends(tenant, account, address, sent=1000, hard_bounces=50)
    for _ in range(2):
        world.call("sample_reputation", tenant, NOW)
    assert world.value("select count(*) from infrastructure.reputation_samples") == 3


def test_a_former_owner_is_not_judged_by_an_address(world: World) -> None:
    first, account, address = world.sender()
    world.sends(first, account, address, sent=1000, hard_bounces=200)
    world.call("release_smtp_ip", address, NOW)
    second = world.tenant()
    assert world.call("assign_smtp_ip", second, address, NOW)["assign_smtp_ip"] is None
    world.call("sample_reputation", second, NOW)
    assert world.get("smtp_ips", address)["health"] == "healthy"
    assert world.value("select count(*) from infrastructure.reputation_samples") == 0


@pytest.mark.parametrize("column", ["bounces_leave", "complaints_leave"])
def test_bands_without_hysteresis_are_refused(world: World, column: str) -> None:
    with (
        world.database.connect() as administrator,
        pytest.raises(psycopg.errors.CheckViolation, match="hysteresis"),
    ):
        administrator.execute(
            pg.SQL("update infrastructure.reputation_bands set {} = 5000"
                            " where band = 'throttled'").format(pg.Identifier(column))
        )  # fmt: skip
