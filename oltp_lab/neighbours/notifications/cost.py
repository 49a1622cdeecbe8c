"""What the outbox's trigger costs whoever changes a campaign's status."""

import time
from collections.abc import Sequence
from functools import partial
from statistics import median
from typing import Any

import psycopg

from oltp_lab import sql
from oltp_lab.measuring import statistics
from oltp_lab.measuring.turns import in_turns
from oltp_lab.servers import Database

ROUNDS, CAMPAIGNS = 12, 20
_QUERIES = sql.queries("neighbours/notifications/cost.sql")


def of_trigger(oltp: Database) -> dict[str, Any]:
    """Microseconds of a change with the trigger and without, and their ratio; in a clone.

    Blocks of 20 transactions take turns, 12 of each after one to warm up. Their events stay in the
    outbox.
    """
    with (
        oltp.connect(autocommit=True) as administrator,
        oltp.connect("lab_platform", autocommit=True) as platform,
    ):
        made = administrator.execute(_QUERIES["campaigns"], {"campaigns": CAMPAIGNS}).fetchall()

        def changes(setting: str) -> float:
            administrator.execute(_QUERIES[setting])
            return median(_microseconds(platform, campaign) for campaign in made)

        taken = in_turns({way: partial(changes, way) for way in ("disable", "enable")}, ROUNDS)
        administrator.execute(_QUERIES["enable"])
    ratio = statistics.compare(taken["enable"], taken["disable"])
    return {
        "trigger_us": median(taken["enable"]),
        "bare_us": median(taken["disable"]),
        "trigger_ratio": ratio.ratio,
        "trigger_low": ratio.low,
        "trigger_high": ratio.high,
    }


def _microseconds(platform: psycopg.Connection, campaign: Sequence[Any]) -> float:
    began = time.perf_counter()
    platform.execute(_QUERIES["change"], campaign)
    return 1e6 * (time.perf_counter() - began)
