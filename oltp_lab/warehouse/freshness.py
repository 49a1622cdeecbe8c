"""How far the warehouse is behind: the age of its data, and how long a row took to get there."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import LiteralString

import duckdb

from oltp_lab import sql
from oltp_lab.errors import LabError
from oltp_lab.measuring.store import Measurements
from oltp_lab.warehouse.extraction import FULL, NONE


@dataclass(frozen=True)
class Lag:
    """Seconds from commit to commit over the rows of a delta; without one, told why.

    ``figures`` are quantiles: ``lag_p*_s`` of the latest sync, ``hour_p*_s`` the largest that a
    sync of the last hour had; those of all its rows together do not exceed them.
    """

    told: str
    figures: dict[str, float]


@dataclass(frozen=True)
class Standing:
    """How far a mart has come.

    ``taken`` is when the oldest snapshot was taken that its rows are of; when it is behind, the
    time it was last refreshed. ``behind_s`` are the seconds since then, 0 when it is not.
    """

    taken: datetime
    behind_s: float


def taken(connection: duckdb.DuckDBPyConnection) -> dict[str, datetime]:
    """When the snapshot was taken that each table (``schema.name``) equals in the warehouse.

    Raises LabError when nothing was ever synced.
    """
    return dict(_asked(connection, "taken"))


def marts(connection: duckdb.DuckDBPyConnection) -> dict[str, Standing]:
    """How far each mart has come, by name.

    Raises LabError when none was ever built.
    """
    return {mart: Standing(*standing) for mart, *standing in _asked(connection, "marts")}


def lags(store: Measurements) -> dict[str, Lag]:
    """The lag of the latest sync of each table (``schema.name``), and of all, in the last hour."""
    since = datetime.now(UTC) - timedelta(hours=1)
    try:
        latest = store.read(_queries()["lags"], since=since).astype(object)
    except LabError:  # no sync has been measured
        return {}
    rows = latest.where(latest.notna(), None).to_dict("records")
    return {row.pop("table_name"): _lag(row.pop("mode"), row) for row in rows}


def _lag(mode: str, quantiles: dict[str, float | None]) -> Lag:
    figures = {name: float(lag) for name, lag in quantiles.items() if lag is not None}
    return Lag(_told(mode, figures), figures)


def _told(mode: str, figures: dict[str, float]) -> str:
    if "lag_p50_s" in figures:
        p50, p95 = figures["lag_p50_s"], figures["lag_p95_s"]
        return f"half within {p50:.1f} s, 95 % within {p95:.1f} s of their commit"
    if mode == NONE:
        return "skipped: nothing had changed"
    if mode == FULL:
        return "skipped: the table was read as a whole, which says nothing of a row's way"
    return "skipped: the server has no commit times, since track_commit_timestamp is off"


def _asked(connection: duckdb.DuckDBPyConnection, query: str) -> list[tuple]:
    try:
        return connection.execute(_queries()[query]).fetchall()
    except duckdb.CatalogException:
        raise LabError(
            "nothing was synced to the warehouse yet: run the job `analytics_sync`"
        ) from None


def _queries() -> dict[str, LiteralString]:
    return sql.queries("warehouse/checks/freshness.sql")
