"""How often the warehouse is filled and how far behind it may be: each interval and bound, once.

Seconds unless a name says rows. A batch takes in everything and reconciles it. Micro-batches
between two batches take in what tells of campaigns, and only when something of that changed; so
while all is quiet it is the batch that vouches for them too, and no policy can be tighter than its
interval. What they promise shows in the lag of rows that did change.
"""

from dataclasses import dataclass

from oltp_lab.warehouse.marts import Mart
from oltp_lab.warehouse.tables import TableSpec

BATCH_S = 300
MICRO_BATCH_S = 30

LIVE_MARTS = tuple(map(Mart, ("campaign_daily", "campaign_funnel", "lead_engagement")))
"""Those that micro-batches refresh."""

_LIVE_TABLES = frozenset(source for mart in LIVE_MARTS for source in mart.sources)


@dataclass(frozen=True)
class Bounds:
    """More than ``warn`` is late, more than ``fail`` is broken."""

    warn: float
    fail: float


AGE_S = Bounds(warn=3 * BATCH_S, fail=12 * BATCH_S)
"""Of the data, since the snapshot that it equals; of an asset, since it was last looked after."""

LIVE_AGE_S = Bounds(warn=2 * BATCH_S, fail=6 * BATCH_S)
"""Likewise of what micro-batches keep: one batch may be missed."""

LAG_S = Bounds(warn=2 * BATCH_S, fail=6 * BATCH_S)
"""From a row's commit in the OLTP to its commit in the warehouse, for 95 rows of a hundred."""

LIVE_LAG_S = Bounds(warn=4 * MICRO_BATCH_S, fail=2 * BATCH_S)
"""Likewise of what micro-batches keep: the sensor looks, a run starts, and the next one waits."""

BACKLOG_ROWS = Bounds(warn=10_000, fail=250_000)
"""Changed in the OLTP and not yet in staging; of more, marts are built anew (deltas.LONGEST)."""


def is_live(kept: TableSpec | Mart) -> bool:
    """Whether micro-batches keep the staging table or the mart."""
    return kept in LIVE_MARTS or kept.name in _LIVE_TABLES


def age(kept: TableSpec | Mart) -> Bounds:
    """How old the data of a staging table or a mart may be."""
    return LIVE_AGE_S if is_live(kept) else AGE_S


def lag(table: TableSpec) -> Bounds:
    """How long rows of a staging table may take to get there."""
    return LIVE_LAG_S if is_live(table) else LAG_S
