"""Send windows in the campaign's time zone, against a minute-by-minute search with zoneinfo."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oltp_lab_tests.campaigns.world import EVERY_DAY, Outreach

MINUTE = timedelta(minutes=1)
# Some change their clocks: by an hour, by half an hour, or at midnight; others never.
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "UTC",
         "Asia/Kathmandu")  # fmt: skip
CHANGES = [
    datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC),  # Berlin
    datetime(2026, 3, 8, 7, tzinfo=UTC), datetime(2026, 11, 1, 6, tzinfo=UTC),  # New York
    datetime(2026, 4, 4, 15, tzinfo=UTC), datetime(2026, 10, 3, 15, 30, tzinfo=UTC),  # Lord Howe
    datetime(2026, 4, 5, 3, tzinfo=UTC), datetime(2026, 9, 6, 4, tzinfo=UTC),  # Santiago
]  # fmt: skip
moments = st.one_of(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(lambda at: at.replace(tzinfo=UTC)),
    st.tuples(st.sampled_from(CHANGES), st.integers(-4000, 4000)).map(
        lambda near: near[0] + near[1] * MINUTE
    ),
).map(lambda at: at.replace(second=0, microsecond=0))
minutes = st.integers(0, 1439)


def open_at(at: datetime, zone: str, opens: int, closes: int, days: list[int]) -> bool:
    local = at.astimezone(ZoneInfo(zone))
    return local.isoweekday() in days and opens <= local.hour * 60 + local.minute < closes


def clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


@settings(max_examples=300, derandomize=True)
@given(
    at=moments, zone=st.sampled_from(ZONES), bounds=st.tuples(minutes, minutes),
    days=st.lists(st.sampled_from(EVERY_DAY), min_size=1, unique=True),
)  # fmt: skip
def check(
    world: Outreach, at: datetime, zone: str, bounds: tuple[int, int], days: list[int]
) -> None:
    opens, closes = min(bounds), max(bounds) + 1
    found = world.do("next_window", at, zone, clock(opens), clock(closes), days)
    assert found >= at
    assert open_at(found, zone, opens, closes, days)
    # Hour by hour first, then minute by minute: nothing earlier was open, but for what a change of
    # the clock on that day may pass over.
    tried = at
    while tried < found and not open_at(tried, zone, opens, closes, days):
        tried += MINUTE * (1 if found - tried <= timedelta(hours=26) else 60)
    place = ZoneInfo(zone)
    changes = (tried - timedelta(hours=26)).astimezone(place).utcoffset() != (
        tried + timedelta(hours=26)
    ).astimezone(place).utcoffset()
    assert tried == found or changes


def test_the_next_window_is_the_earliest(world: Outreach) -> None:
    check(world)


@pytest.mark.parametrize(
    ("at", "zone", "opens", "closes", "expected"),
    [
        # On the day that summer time begins, and ends, in Berlin.
        ("2026-03-29T00:00", "Europe/Berlin", "08:00", "18:00", "2026-03-29T06:00"),
        ("2026-10-25T00:00", "Europe/Berlin", "08:00", "18:00", "2026-10-25T07:00"),
        # The clock goes from 02:00 to 03:00 in the middle of it, and skips all of it.
        ("2026-03-29T00:30", "Europe/Berlin", "02:00", "05:00", "2026-03-29T01:00"),
        ("2026-03-29T00:30", "Europe/Berlin", "02:00", "03:00", "2026-03-30T00:00"),
        # From 03:00 back to 02:00: both are inside.
        ("2026-10-25T00:30", "Europe/Berlin", "02:00", "05:00", "2026-10-25T00:30"),
        ("2026-10-25T01:30", "Europe/Berlin", "02:00", "05:00", "2026-10-25T01:30"),
        ("2026-06-01T21:59", "Europe/Berlin", "00:00", "24:00", "2026-06-01T21:59"),
        ("2026-06-01T16:00", "Europe/Berlin", "08:00", "18:00", "2026-06-02T06:00"),
        ("2026-06-01T15:59", "Europe/Berlin", "08:00", "18:00", "2026-06-01T15:59"),
    ],
)
def test_the_days_on_which_clocks_change(
    world: Outreach, at: str, zone: str, opens: str, closes: str, expected: str
) -> None:
    found = world.do("next_window", at + "Z", zone, opens, closes, EVERY_DAY)
    assert found == datetime.fromisoformat(expected + "Z")


def test_the_session_time_zone_decides_nothing(world: Outreach) -> None:
    at = datetime(2026, 3, 28, 12, tzinfo=UTC)
    running = world.running(("wait", timedelta(0)), ("action", timedelta(days=1)))
    world.run("set time zone 'Europe/Berlin'")
    try:
        assert running.execute(at) == "passed"
        assert running.enrollment()["due_at"] == at + timedelta(hours=24)
        found = world.do("next_window", at, "UTC", time(13), time(14), EVERY_DAY)
        assert found == at + timedelta(hours=1)
    finally:
        world.run("reset time zone")
