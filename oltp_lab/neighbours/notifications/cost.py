"""What the outbox's trigger costs whoever changes a campaign's status."""

import time
from statistics import median
from typing import Any

import psycopg

from oltp_lab import sql
from oltp_lab.measuring import statistics
from oltp_lab.servers import Database

ROUNDS, CAMPAIGNS = 12, 20
_QUERIES = sql.queries("neighbours/notifications/cost.sql")


def of_trigger(oltp: Database, tenant: str) -> dict[str, Any]:
    """Microseconds of a change with the trigger and without, and their ratio; in a clone.

    Blocks of 20 transactions take turns, 12 of each after one to warm up. Their events stay in the
    outbox.
    """
    taken: dict[str, list[float]] = {"enable": [], "disable": []}
    with (
        oltp.connect(autocommit=True) as administrator,
        oltp.connect("lab_platform", autocommit=True) as platform,
    ):
        administrator.execute(_QUERIES["campaigns"], {"tenant": tenant, "campaigns": CAMPAIGNS})
        for number in range(-1, ROUNDS):
            for way in taken if number % 2 else reversed(taken):
                administrator.execute(_QUERIES[way])
                microseconds = _changes(platform, tenant)
                if number >= 0:
                    taken[way].append(microseconds)
        administrator.execute(_QUERIES["enable"])
    ratio = statistics.compare(taken["enable"], taken["disable"])
    return {
        "trigger_us": median(taken["enable"]),
        "bare_us": median(taken["disable"]),
        "trigger_ratio": ratio.ratio,
        "trigger_low": ratio.low,
        "trigger_high": ratio.high,
    }


def _changes(platform: psycopg.Connection, tenant: str) -> float:
    """Median microseconds of a transaction that changes one campaign."""
    taken = []
    for number in range(1, CAMPAIGNS + 1):
        began = time.perf_counter()
        platform.execute(_QUERIES["change"], {"tenant": tenant, "name": f"weighed {number}"})
        taken.append(1e6 * (time.perf_counter() - began))
    return median(taken)
