"""What is checked of the warehouse: it equals the OLTP database, and how far behind it is."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from oltp_lab.resources import MeasurementsResource, Oltp, Warehouse
from oltp_lab.warehouse import freshness, mart_reconciliation, marts, reconciliation
from oltp_lab.warehouse.assets import holder, mart_key, staging_key
from oltp_lab.warehouse.freshness import Lag
from oltp_lab.warehouse.reconciliation import Reconciled
from oltp_lab.warehouse.tables import MIRRORED, TableSpec, describe

OLDEST_DATA_S = 15 * 60.0
LONGEST_LAG_S = 10 * 60.0

_WARN = dg.AssetCheckSeverity.WARN


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


@dg.multi_asset_check(
    name="freshness",
    specs=[
        spec
        for table in MIRRORED
        for spec in (
            dg.AssetCheckSpec(
                "data_age",
                asset=staging_key(table),
                description="Seconds since the snapshot that the table equals was taken.",
            ),
            dg.AssetCheckSpec(
                "propagation_lag",
                asset=staging_key(table),
                description="Seconds from a row's commit in the OLTP to its commit in the "
                "warehouse, in the latest sync.",
            ),
        )
    ],
)
def staging_is_fresh(
    warehouse: Warehouse, measurements: MeasurementsResource
) -> Iterator[dg.AssetCheckResult]:
    with warehouse.open(read_only=True) as connection:
        taken = freshness.taken(connection)
    lags = freshness.lags(measurements.store())
    for table in MIRRORED:
        yield _data_age(table, taken.get(table.label))
        yield _propagation_lag(table, lags.get(table.label))


def _data_age(table: TableSpec, taken: datetime | None) -> dg.AssetCheckResult:
    age = (datetime.now(UTC) - taken).total_seconds() if taken else None
    return dg.AssetCheckResult(
        check_name="data_age",
        asset_key=staging_key(table),
        passed=age is not None and age <= OLDEST_DATA_S,
        severity=_WARN,
        description="never synced" if age is None else f"the data is {age:.1f} s old",
        metadata={} if age is None else {"age_s": age},
    )


def _propagation_lag(table: TableSpec, lag: Lag | None) -> dg.AssetCheckResult:
    figures = lag.figures if lag else {}
    return dg.AssetCheckResult(
        check_name="propagation_lag",
        asset_key=staging_key(table),
        passed=figures.get("lag_p95_s", 0) <= LONGEST_LAG_S,
        severity=_WARN,
        description=lag.told if lag else "skipped: never synced",
        metadata=figures,
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


checks = [staging_equals_oltp, staging_is_fresh, marts_equal_staging]
