"""How far the warehouse is behind: the age of its data, and how long a row took to get there."""

from dataclasses import dataclass
from datetime import datetime

import duckdb

from oltp_lab import sql
from oltp_lab.errors import LabError
from oltp_lab.measuring.store import Measurements
from oltp_lab.warehouse.extraction import FULL, NONE


@dataclass(frozen=True)
class Lag:
    """Seconds from commit to commit over the rows of a delta; without one empty, and told why."""

    told: str
    figures: dict[str, float]


def taken(connection: duckdb.DuckDBPyConnection) -> dict[str, datetime]:
    """When the snapshot was taken that each table (``schema.name``) equals in the warehouse.

    Raises LabError when nothing was ever synced.
    """
    query = sql.queries("warehouse/checks/freshness.sql")["taken"]
    try:
        return dict(connection.execute(query).fetchall())
    except duckdb.CatalogException:
        raise LabError(
            "nothing was synced to the warehouse yet: run the job `analytics_sync`"
        ) from None


def lags(store: Measurements) -> dict[str, Lag]:
    """The lag of the latest sync of each table (``schema.name``)."""
    query = sql.queries("warehouse/checks/freshness.sql")["latest"]
    latest = store.read(query).astype(object)
    return {
        row["table_name"]: _lag(row["mode"], [row[f"lag_{p}_s"] for p in ("p50", "p95", "p99")])
        for row in latest.where(latest.notna(), None).to_dict("records")
    }


def _lag(mode: str, seconds: list[float | None]) -> Lag:
    p50, p95, p99 = seconds
    if p50 is not None and p95 is not None and p99 is not None:
        figures = {"lag_p50_s": float(p50), "lag_p95_s": float(p95), "lag_p99_s": float(p99)}
        return Lag(f"half within {p50:.1f} s, 95 % within {p95:.1f} s of their commit", figures)
    if mode == NONE:
        return Lag("skipped: nothing had changed", {})
    if mode == FULL:
        return Lag("skipped: the table was read as a whole, which says nothing of a row's way", {})
    return Lag("skipped: the server has no commit times, since track_commit_timestamp is off", {})
