"""What Dagster sees of exports: the daily marts as Parquet files, a partition a day.

Marts themselves have no partitions, since a refresh finds the days that changed. A file is of the
day as the mart had it when it was written; who wants it anew, after late events, backfills.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg

from oltp_lab import settings
from oltp_lab.resources import Warehouse
from oltp_lab.resources.shown import shown
from oltp_lab.warehouse import export
from oltp_lab.warehouse.assets import mart_key
from oltp_lab.warehouse.marts import Mart

_FIRST = datetime(2023, 1, 1, tzinfo=UTC)  # the sample data begins in that year


def _key(mart: Mart) -> dg.AssetKey:
    return dg.AssetKey(["exports", mart.name])


@dg.multi_asset(
    name="daily_exports",
    can_subset=True,
    partitions_def=dg.DailyPartitionsDefinition(start_date=_FIRST),
    backfill_policy=dg.BackfillPolicy.single_run(),
    specs=[
        dg.AssetSpec(
            _key(mart),
            deps=[dg.AssetDep(mart_key(mart), partition_mapping=dg.AllPartitionMapping())],
            description=f"{mart.description} As Parquet files, `day=YYYY-MM-DD/*.parquet`.",
            group_name="exports",
            kinds={"duckdb", "parquet"},
            owners=["team:oltp_lab"],
        )
        for mart in export.daily()
    ],
)
def exports(
    context: dg.AssetExecutionContext, warehouse: Warehouse
) -> Iterator[dg.MaterializeResult]:
    window = context.partition_time_window
    first, last = window.start.date(), (window.end - timedelta(days=1)).date()
    folder = settings.load().exports
    chosen = [m for m in export.daily() if _key(m) in context.selected_asset_keys]
    for mart in chosen:
        with warehouse.open(read_only=True) as connection, shown():
            done = export.export_days(connection, mart, first, last, folder / mart.name)
        yield dg.MaterializeResult(
            _key(mart),
            metadata={
                "dagster/row_count": done.rows,
                "path": dg.MetadataValue.path(str(done.place)),
            },
        )


assets = [exports]
