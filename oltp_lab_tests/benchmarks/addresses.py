"""Giving addresses out one by one as tenants ask, against the best that all together could get."""

import random
import statistics
import time
from datetime import UTC, datetime
from typing import Any

import numpy as np
import psycopg

from oltp_lab import settings, sql
from oltp_lab.servers import Database
from oltp_lab_tests.benchmarks._scratch import scratch

_SERVERS, _TENANTS, _ROUNDS = 26, 200, 3
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
            quality, rates, bare = [], [], []
            for turn in range(_ROUNDS):
                order = random.Random(turn).sample(range(_TENANTS), _TENANTS)
                began = time.perf_counter()
                given = [
                    _rows(session, "allocate", tenant=wanted[n][0], at=at, expected=wanted[n][1])
                    for n in order
                ]
                rates.append(_TENANTS / (time.perf_counter() - began))
                place = {row[0]: n for n, row in enumerate(offered)}
                total = sum(
                    worth[n, place[rows[0][0]]] for n, rows in zip(order, given, strict=True)
                )
                quality.append(float(total) / _optimum(worth))
                _clear(session)
                began = time.perf_counter()
                for n in order:
                    session.execute(
                        _query("bare"),
                        {"address": offered[n][0], "tenant": wanted[n][0], "at": at},
                    )
                bare.append(_TENANTS / (time.perf_counter() - began))
                _clear(session)
    pairs = list(zip(rates, bare, strict=True))
    return [
        {
            "name": "ip_assignment_quality",
            "ours": round(statistics.median(quality), 3),
            "reference": 1,
            "ratio": statistics.median(quality),
            "goal": ">= 0.95",
            "detail": f"{_TENANTS} tenants, {len(offered)} addresses; worst {min(quality):.4f}",
        },
        {
            "name": "ip_assignment, assignments/s",
            "ours": round(statistics.median(rates)),
            "reference": round(statistics.median(bare)),
            "ratio": statistics.median(ours / insert for ours, insert in pairs),
            "goal": ">= 0.4",
            "detail": "; ".join(f"{ours:.0f} against {insert:.0f}" for ours, insert in pairs),
        },
    ]


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
