"""What is checked of the warehouse: it equals the OLTP database, and how far behind it is."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from oltp_lab.resources import MeasurementsResource, Oltp, Warehouse
from oltp_lab.warehouse import freshness, marts, reconciliation
from oltp_lab.warehouse.assets import holder, mart_key, staging_key
from oltp_lab.warehouse.freshness import Lag
from oltp_lab.warehouse.marts import Mart
from oltp_lab.warehouse.reconciliation import Reconciled
from oltp_lab.warehouse.tables import MIRRORED, TableSpec, describe

OLDEST_DATA_S = 15 * 60.0
LONGEST_LAG_S = 10 * 60.0
SHOWN_DIFFERENCES = 5

_WARN = dg.AssetCheckSeverity.WARN


@dg.multi_asset_check(
    name="reconciliation",
    specs=[
        dg.AssetCheckSpec(
            "equals_oltp",
            asset=staging_key(table),
            blocking=True,
            description="Rows, keys and contents equal the OLTP database's, per tenant, on one "
            "snapshot.",
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
                "differing_tenants": result.differing_tenants,
            },
        )


def _told(result: Reconciled) -> str:
    if not result.differences:
        return f"{result.rows:,} rows equal {result.table_name}"
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


def _mart_check(mart: Mart) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        name="sums_equal_staging",
        asset=mart_key(mart),
        blocking=True,
        description="The mart's sums equal those of the staging tables that it was built from.",
    )
    def compared(warehouse: Warehouse) -> dg.AssetCheckResult:
        with warehouse.open(read_only=True) as connection:
            differences = marts.differences(connection, mart)
        if differences is None:
            return dg.AssetCheckResult(
                passed=False,
                severity=_WARN,
                description="another sync has moved staging since the mart was built: "
                "materialize it, then check again",
            )
        shown = "; ".join(differences[:SHOWN_DIFFERENCES])
        return dg.AssetCheckResult(
            passed=not differences,
            description=shown or "every sum is equal",
            metadata={"differences": len(differences)},
        )

    return compared


checks = [
    staging_equals_oltp,
    staging_is_fresh,
    *(_mart_check(mart) for mart in marts.discovered()),
]
