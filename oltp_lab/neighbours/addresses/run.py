"""The trial from its first mail to its last server, stage after stage, and what is judged of it."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from oltp_lab.neighbours.addresses import storm, trial
from oltp_lab.neighbours.addresses.trial import Extent, Session, Trial
from oltp_lab.servers import Database

CHECKS = {
    "over_cap": "No address sent more on a day than its warm-up and its band allow.",
    "two_owners": "No address was two tenants' at once, and nobody sent through another's.",
    "wrong_band": "Bounces and complaints lead to the band that SES and Gmail draw, and back.",
    "untold": "Who lost an address in the storm has another or was told why not, once.",
    "on_the_dead": "None is left on a blocked address or a dead server, and none sends through it.",
    "left_behind": "Nobody who would send is without an address while one is free.",
    "not_given_up": "What was decommissioned is assigned to nobody and sends nothing.",
}
_DAY = timedelta(days=1)
_HOURS = (timedelta(0), timedelta(hours=6))
_MAILS = 60


@dataclass(frozen=True)
class Judged:
    """Faults by check, figures of the trial, and what came of the operations."""

    wrong: Mapping[str, Sequence[Mapping[str, Any]]]
    figures: Mapping[str, Any]
    outcomes: Sequence[Mapping[str, Any]]
    bands: Sequence[Mapping[str, Any]]
    shortage: str | None

    def told(self, check: str) -> list[str]:
        """What breaks a promise, a few sentences. A trial in which nothing happened proves none."""
        if not all(self.figures[what] for what in ("mails", "conflicts", "doomed", "replaced")):
            return ["nothing was sent, contested or failed"]
        return [
            ", ".join(f"{name} {value}" for name, value in row.items())
            for row in self.wrong[check][:5]
        ]


def run(original: Database, extent: Extent) -> Judged:
    """Live through all of it in a copy. Raises psycopg.Error where an operation fails."""
    began = time.perf_counter()
    with trial.made(original, extent) as made:
        return lived(made, extent, began)


def lived(made: Trial, extent: Extent, began: float) -> Judged:
    """What is judged of a trial that was made."""
    own = made.platform.values("own")
    cases = extent.warming, extent.warming + trial.CASES
    warming, judging, racing = own[: cases[0]], own[slice(*cases)], own[cases[1] :]
    seconds = {}
    clock = time.perf_counter()
    month(made, warming, extent.days)
    seconds["month_s"] = time.perf_counter() - clock
    judged = moments(made, extent)["judged"]
    reputation(made, judging, judged)
    raced = race(made, racing, judged + 9 * _DAY)
    day = judged + 10 * _DAY
    clock = time.perf_counter()
    shortage = storm.storm(made, own, day)
    seconds["storm_s"] = time.perf_counter() - clock
    storm.supply(made, day + _DAY)
    storm.give_up(made, own[-4:], day + 2 * _DAY)
    times = moments(made, extent)
    wrong = {check: made.platform.rows(check, **times) for check in CHECKS}
    figures = {
        **made.platform.rows("month", tenants=warming, began=made.at, until=judged)[0],
        **raced,
        **made.platform.rows("storm")[0],
        **seconds,
        "wrong": sum(map(len, wrong.values())),
        "seconds": time.perf_counter() - began,
    }
    bands = made.platform.rows("bands", **times)
    return Judged(wrong, figures, made.platform.rows("outcomes"), bands, shortage)


def moments(made: Trial, extent: Extent) -> dict[str, datetime]:
    """When the month began, when reputations were judged, the day after, and after a clean week."""
    judged = made.at + (extent.days + 7) * _DAY
    return {
        "began": made.at, "judged": judged, "next": judged + _DAY, "again": judged + 8 * _DAY,
    }  # fmt: skip


def month(made: Trial, tenants: Sequence[Any], days: int) -> None:
    """Mail goes out on weekdays, at two hours, of each tenant by two sessions at once."""
    for tenant in tenants:
        made.platform.rows("allocate", tenant=tenant, at=made.at, expected=10)
    made.platform.rows("rented_long_ago", tenant=tenants[0], at=made.at)

    def send(session: Session, at: Any) -> None:
        for tenant in tenants:
            session.rows("send", tenant=tenant, at=at, mails=_MAILS)

    for day in range(days):
        if day % 7 < 5:
            for hour in _HOURS:
                made.together(*[partial(send, at=made.at + day * _DAY + hour)] * 2)


def reputation(made: Trial, tenants: Sequence[Any], at: Any) -> None:
    """What came back is reported by two sessions, judged, and judged again after a clean week."""
    made.platform.rows("cases")
    for place, tenant in enumerate(tenants, 1):
        (given,) = made.platform.rows("allocate", tenant=tenant, at=at - 7 * _DAY, expected=0)
        made.platform.rows("deal", tenant=tenant, address=given["smtp_ip_id"], place=place)
    for name in ("season", "seasoned", "last_sender", "week"):
        made.platform.rows(name, at=at)

    def report(session: Session, half: int) -> None:
        for place in range(1, len(tenants) + 1):
            session.rows("outcomes_of_case", place=place, half=half, at=at)

    def sample(session: Session, at: Any) -> None:
        for tenant in tenants:
            session.rows("sample", tenant=tenant, at=at)

    made.together(partial(report, half=0), partial(report, half=1))
    made.together(*[partial(sample, at=at)] * 2)
    for tenant in tenants:
        made.platform.rows("send", tenant=tenant, at=at + _DAY, mails=30)
    made.platform.rows("week", at=at + 8 * _DAY)
    made.together(*[partial(sample, at=at + 8 * _DAY)] * 2)


def race(made: Trial, tenants: list[Any], at: Any) -> dict[str, Any]:
    """All want the same address, a few times over; then each takes what suits it, till none is."""
    sessions = len(made.sessions)
    contested, conflicts = made.platform.values("fit", most=min(3, len(tenants))), 0
    for address in contested:
        asked = [
            partial(_timed, name="assign", tenant=tenant, address=address, at=at)
            for tenant in (tenants * sessions)[:sessions]
        ]
        answers = made.together(*asked)
        won = [n for n, (rows, _) in enumerate(answers) if rows[0]["assign_smtp_ip"] is None]
        for n in won:
            made.platform.rows("contested", address=address, winner=(tenants * sessions)[n])
        made.note("race", "assign", "assigned", len(won))
        made.note("race", "assign", "not_available", sessions - len(won))
        conflicts += sessions - len(won)

    def take(session: Session, n: int) -> list[tuple[str | None, float]]:
        done = []
        for place, tenant in enumerate(tenants[n::sessions]):
            rows, ms = _timed(session, "allocate", tenant=tenant, at=at, expected=place % 4 * 100)
            done.append((rows[0]["refusal"], ms))
        return done

    clock = time.perf_counter()
    takes = [partial(take, n=n) for n in range(sessions)]
    taken = [each for done in made.together(*takes) for each in done]
    seconds = time.perf_counter() - clock
    for refusal, calls in Counter(refusal for refusal, _ in taken).items():
        made.note("race", "allocate", refusal or "allocated", calls)
    (free,) = made.platform.values("free")
    if free and any(refusal for refusal, _ in taken):
        made.note("race", "allocate", "refused though free", free)
    slow = sorted(ms for _, ms in taken)
    return {
        "sessions": sessions,
        "conflicts": conflicts + sum(1 for refusal, _ in taken if refusal),
        "allocations_per_s": len(taken) / seconds,
        "allocation_p95_ms": slow[int(0.95 * (len(slow) - 1))],
    }


def _timed(session: Session, name: str, **values: Any) -> tuple[list[dict[str, Any]], float]:
    began = time.perf_counter()
    rows = session.rows(name, **values)
    return rows, (time.perf_counter() - began) * 1000
