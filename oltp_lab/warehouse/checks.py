"""What is checked of the warehouse: it equals the OLTP database, and how far behind it is."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import dagster as dg
from pydantic import Field

from oltp_lab.resources import MeasurementsResource, Oltp, Warehouse
from oltp_lab.warehouse import (
    backlog,
    cadence,
    freshness,
    live,
    mart_reconciliation,
    marts,
    reconciliation,
)
from oltp_lab.warehouse.assets import holder, mart_key, staging_key
from oltp_lab.warehouse.cadence import Bounds
from oltp_lab.warehouse.freshness import Lag, Standing
from oltp_lab.warehouse.reconciliation import Reconciled
from oltp_lab.warehouse.tables import MIRRORED, describe

SHOWN_DIFFERENCES = 5

_WARN, _ERROR = dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR


@dg.multi_asset_check(
    name="reconciliation",
    specs=[
        dg.AssetCheckSpec(
            "equals_oltp",
            asset=staging_key(table),
            blocking=True,
            description="Rows, keys, sums and contents equal the OLTP's, by tenant and day, "
            "on one snapshot.",
        )
        for table in MIRRORED
    ],
)
def staging_equals_oltp(
    context: dg.AssetCheckExecutionContext, oltp: Oltp, warehouse: Warehouse
) -> Iterator[dg.AssetCheckResult]:
    database = oltp.database()
    with warehouse.open(holder=holder(context)) as connection:
        compared = reconciliation.reconcile(connection, database, describe(database))
    for table, result in zip(MIRRORED, compared, strict=True):
        yield dg.AssetCheckResult(
            check_name="equals_oltp",
            asset_key=staging_key(table),
            passed=not result.differences,
            description=_told(result),
            metadata={
                "rows": result.rows,
                "day_of": result.day_of or "none: compared by tenant alone",
                "differing_days_of_tenants": result.differing,
            },
        )


def _told(result: Reconciled) -> str:
    if not result.differences:
        by = f"tenant and day ({result.day_of})" if result.day_of else "tenant"
        return f"{result.rows:,} rows equal {result.table_name} by {by}"
    return f"{result.table_name}: {'; '.join(result.differences)}"


class BoundsConfig(dg.Config):
    """Above ``warn`` the check warns, above ``fail`` it is an error."""

    warn: float
    fail: float


class FreshnessConfig(dg.Config):
    """Bounds for this run; by default those of ``warehouse/cadence.py``."""

    data_age_s: BoundsConfig | None = Field(default=None, description="Seconds.")
    propagation_lag_s: BoundsConfig | None = Field(default=None, description="Seconds.")
    backlog_rows: BoundsConfig | None = Field(default=None, description="Rows.")


@dg.multi_asset_check(
    name="freshness",
    specs=[
        dg.AssetCheckSpec(name, asset=staging_key(table), description=description)
        for table in MIRRORED
        for name, description in (
            ("data_age", "Seconds since the snapshot that the table equals was taken."),
            (
                "propagation_lag",
                "Seconds from a row's commit in the OLTP to its commit in the warehouse: judged in "
                "the latest sync, and told of the last hour.",
            ),
            ("backlog", "Rows that changed in the OLTP and are not in the warehouse yet."),
        )
    ],
)
def staging_is_fresh(
    config: FreshnessConfig, oltp: Oltp, warehouse: Warehouse, measurements: MeasurementsResource
) -> Iterator[dg.AssetCheckResult]:
    with warehouse.open(read_only=True) as connection:
        taken, marks = freshness.taken(connection), backlog.marks(connection)
    lags = freshness.lags(measurements.store())
    rows = backlog.rows(oltp.database(), MIRRORED, marks)
    for table in MIRRORED:
        key, label = staging_key(table), table.label
        yield _aged(key, config.data_age_s or cadence.age(table), taken.get(label))
        yield _lagging(key, config.propagation_lag_s or cadence.lag(table), lags.get(label))
        yield _waiting(key, config.backlog_rows or cadence.BACKLOG_ROWS, rows.get(label))


@dg.multi_asset_check(
    name="marts_freshness",
    specs=[
        dg.AssetCheckSpec(name, asset=mart_key(mart), description=description)
        for mart in marts.discovered()
        for name, description in (
            ("data_age", "Seconds since the oldest snapshot that the mart's rows are of."),
            (
                "behind_staging",
                "At most so many seconds ago changed what is in staging and not in the mart; 0 "
                "when all is.",
            ),
        )
    ],
)
def marts_are_fresh(warehouse: Warehouse) -> Iterator[dg.AssetCheckResult]:
    with warehouse.open(read_only=True) as connection:
        standing = freshness.marts(connection)
    for mart in marts.discovered():
        key, allowed, found = mart_key(mart), cadence.age(mart), standing.get(mart.name)
        yield _aged(key, allowed, found.taken if found else None)
        yield _behind(key, allowed, found)


def _aged(
    key: dg.AssetKey, allowed: Bounds | BoundsConfig, taken: datetime | None
) -> dg.AssetCheckResult:
    age = (datetime.now(UTC) - taken).total_seconds() if taken else None
    told = "never synced" if age is None else f"the data is {age:.1f} s old"
    return _judged("data_age", key, age, allowed, told, {"age_s": age})


def _lagging(
    key: dg.AssetKey, allowed: Bounds | BoundsConfig, lag: Lag | None
) -> dg.AssetCheckResult:
    figures = lag.figures if lag else {}
    told = lag.told if lag else "skipped: not synced within the last hour"
    p95 = figures.get("lag_p95_s", 0)
    return _judged("propagation_lag", key, p95, allowed, told, figures)


def _waiting(
    key: dg.AssetKey, allowed: Bounds | BoundsConfig, rows: int | None
) -> dg.AssetCheckResult:
    told = "the whole table: it was not synced from this database as it is now"
    if rows is not None:
        told = f"{rows:,} rows changed since the latest sync"
    return _judged("backlog", key, rows, allowed, told, {"rows": rows})


def _behind(
    key: dg.AssetKey, allowed: Bounds | BoundsConfig, found: Standing | None
) -> dg.AssetCheckResult:
    told = f"{found.behind_s:.1f} s" if found else "never built"
    behind = found.behind_s if found else None
    return _judged("behind_staging", key, behind, allowed, told, {"behind_s": behind})


def _judged(
    name: str,
    key: dg.AssetKey,
    value: float | None,
    allowed: Bounds | BoundsConfig,
    told: str,
    figures: Mapping[str, float | None],
) -> dg.AssetCheckResult:
    """Whether a figure is within its bounds; none at all is as bad as one beyond the last."""
    known = {figure: number for figure, number in figures.items() if number is not None}
    return dg.AssetCheckResult(
        check_name=name,
        asset_key=key,
        passed=value is not None and value <= allowed.warn,
        severity=_WARN if value is not None and value <= allowed.fail else _ERROR,
        description=told,
        metadata={**known, "warn_above": allowed.warn, "fail_above": allowed.fail},
    )


@dg.asset_check(
    name="equals_live_counters",
    asset=mart_key(live.DAILY),
    blocking=True,
    description="Live counters in the OLTP, events in staging and the days of campaign_daily give "
    "the same, per campaign and kind, on one snapshot.",
)
def campaign_daily_equals_live_counters(
    context: dg.AssetCheckExecutionContext, oltp: Oltp, warehouse: Warehouse
) -> dg.AssetCheckResult:
    with warehouse.open(holder=holder(context)) as connection:
        differences = live.differences(connection, oltp.database())
    return dg.AssetCheckResult(
        passed=not differences,
        description="; ".join(differences[:SHOWN_DIFFERENCES]) or "all three count the same",
        metadata={"differences": len(differences)},
    )


@dg.multi_asset_check(
    name="mart_reconciliation",
    specs=[
        dg.AssetCheckSpec(
            "equals_staging",
            asset=mart_key(mart),
            blocking=True,
            description="Its sums by tenant and day equal those of the staging tables that it is "
            "made of, on one snapshot; some of its rows, each time others, equal themselves made "
            "anew.",
        )
        for mart in marts.discovered()
    ],
)
def marts_equal_staging(
    context: dg.AssetCheckExecutionContext, oltp: Oltp, warehouse: Warehouse
) -> Iterator[dg.AssetCheckResult]:
    database = oltp.database()
    with warehouse.open(holder=holder(context)) as connection:
        compared = mart_reconciliation.reconcile(connection, database, describe(database))
    for mart, differences in compared.items():
        yield dg.AssetCheckResult(
            check_name="equals_staging",
            asset_key=mart_key(mart),
            passed=not differences,
            description="; ".join(f"marts.{mart.name}: {told}" for told in differences)
            or "every sum is equal, and so is every row that was made anew",
            metadata={"differences": len(differences)},
        )


checks = [
    staging_equals_oltp,
    staging_is_fresh,
    marts_equal_staging,
    marts_are_fresh,
    campaign_daily_equals_live_counters,
]
