"""Giving addresses out one by one as tenants ask, against the best that all together could get."""

import random
import time
from datetime import UTC, datetime
from statistics import median
from typing import Any

import numpy as np
import psycopg

from oltp_lab import settings, sql
from oltp_lab.measuring import statistics
from oltp_lab.servers import Database
from oltp_lab_tests.benchmarks._scratch import scratch

_SERVERS, _TENANTS, _ROUNDS = 26, 200, 9
_ARMS = {"chosen": "allocate", "given": "given", "bare": "bare"}
"""Queries of instance.sql by what is compared."""
_CENT = 1e-6
"""What a cent weighs against a mail of head room: cost decides between equals."""


def measure_ip_assignment_quality() -> list[dict[str, Any]]:
    """Head room times reputation, then cost, of all assignments; and assignments per second."""
    at = datetime.now(UTC).replace(hour=12)
    with scratch(settings.load()) as database:
        _fill(database, at)
        with database.connect("lab_platform", autocommit=True) as session:
            wanted = _rows(session, "wanted")
            offered = _rows(session, "offered", at=at)
            worth = _worth([volume for _, volume in wanted], offered)
            quality: list[float] = []
            turns: list[dict[str, float]] = []
            for turn in range(_ROUNDS):
                order = random.Random(turn).sample(range(_TENANTS), _TENANTS)
                asked = [
                    {"tenant": wanted[n][0], "expected": wanted[n][1], "address": offered[n][0],
                     "at": at} for n in order
                ]  # fmt: skip
                rates, answers = {}, {}
                for arm, query in _ARMS.items():
                    began = time.perf_counter()
                    answers[arm] = [session.execute(_query(query), one) for one in asked]
                    rates[arm] = _TENANTS / (time.perf_counter() - began)
                    _clear(session)
                turns.append(rates)
                place = {row[0]: n for n, row in enumerate(offered)}
                chosen = [answer.fetchone()[0] for answer in answers["chosen"]]
                total = sum(worth[n, place[one]] for n, one in zip(order, chosen, strict=True))
                quality.append(float(total) / _optimum(worth))
    return [
        {
            "name": "ip_assignment_quality",
            "ours": round(median(quality), 3),
            "reference": 1,
            "ratio": median(quality),
            "goal": ">= 0.95",
            "detail": f"{_TENANTS} tenants, {len(offered)} addresses; worst {min(quality):.4f}",
        },
        *(_rate(arm, goal, turns) for arm, goal in (("chosen", ">= 0.4"), ("given", "to compare"))),
    ]


def _rate(arm: str, goal: str, turns: list[dict[str, float]]) -> dict[str, Any]:
    """A row for one way of handing over, against the bare insert of the same turn."""
    ours, bare = ([turn[name] for turn in turns] for name in (arm, "bare"))
    ratio = statistics.compare(ours, bare)
    return {
        "name": f"ip_assignment {arm}, assignments/s",
        "ours": round(median(ours)),
        "reference": round(median(bare)),
        "ratio": ratio.ratio,
        "low": ratio.low,
        "high": ratio.high,
        "goal": goal,
    }


def _worth(volumes: list[int], offered: list[tuple[Any, ...]]) -> np.ndarray:
    """What each tenant (a row) would get of each address (a column)."""
    room, reputation, cents = (np.array([row[k] for row in offered], float) for k in (1, 2, 3))
    usable = np.minimum(room[None, :], np.array(volumes, float)[:, None])
    return usable * reputation[None, :] - _CENT * cents[None, :]


def _optimum(worth: np.ndarray) -> float:
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(worth, maximize=True)
    return float(worth[rows, columns].sum())


def _fill(database: Database, at: datetime) -> None:
    sizes = {"servers": _SERVERS, "tenants": _TENANTS, "at": at}
    with database.connect("lab_platform") as session:
        for name in ("servers", "addresses", "costs", "tenants"):
            session.execute(_query(name), sizes)
    with database.connect(autocommit=True) as administrator:
        administrator.execute("analyze")


def _clear(session: psycopg.Connection) -> None:
    session.execute(_query("undo"))
    session.execute(_query("forget"))


def _rows(session: psycopg.Connection, name: str, **values: Any) -> list[tuple[Any, ...]]:
    return session.execute(_query(name), values).fetchall()


def _query(name: str) -> Any:
    return sql.queries("neighbours/addresses/instance.sql")[name]
