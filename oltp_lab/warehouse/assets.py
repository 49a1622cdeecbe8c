"""What Dagster sees of the warehouse: the staging tables, filled by one sync, and the marts."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import dagster as dg
from pydantic import Field

from oltp_lab import settings, sql
from oltp_lab.measuring import markdown
from oltp_lab.resources import MeasurementsResource, Oltp, Scale, Warehouse, table_key
from oltp_lab.resources.shown import shown
from oltp_lab.warehouse import cadence, extraction, marts
from oltp_lab.warehouse.extraction import Synced
from oltp_lab.warehouse.marts import Mart, Refreshed
from oltp_lab.warehouse.tables import MIRRORED, Description, TableSpec, describe, named

_COMMON: dict[str, Any] = {
    "group_name": "warehouse",
    "owners": ["team:oltp_lab"],
}


def _policy(kept: TableSpec | Mart) -> dg.FreshnessPolicy:
    allowed = cadence.age(kept)
    return dg.FreshnessPolicy.time_window(
        warn_window=timedelta(seconds=allowed.warn), fail_window=timedelta(seconds=allowed.fail)
    )


def staging_key(table: TableSpec) -> dg.AssetKey:
    """The asset of a staging table."""
    return dg.AssetKey(["staging", table.name])


def mart_key(mart: Mart) -> dg.AssetKey:
    """The asset of a mart."""
    return dg.AssetKey(["marts", mart.name])


def holder(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> str:
    """Whom others are shown while this run writes to the warehouse."""
    run = context.run
    return f"{run.job_name} (run {run.run_id})"


class SyncConfig(dg.Config):
    """How to sync."""

    full_refresh: bool = Field(
        default=False, description="Read the tables again as a whole instead of what changed."
    )
    tables: list[str] = Field(
        default=[],
        description="Sync these alone, such as campaigns.events; none means all that are selected. "
        "With full_refresh these are read again as a whole, the others by what changed.",
    )


def _load_keys() -> list[dg.AssetKey]:
    """The load runs: in the job `lab` they write before the sync reads."""
    runs = sql.folders("load", "workload.toml", "experiment.toml")
    return [dg.AssetKey(["load", name]) for name in runs]


@dg.multi_asset(
    name="staging",
    can_subset=True,
    specs=[
        dg.AssetSpec(
            staging_key(table),
            deps=[table_key(table.schema, table.name), *_load_keys()],
            description=f"{table.label} as of one snapshot of the OLTP database.",
            code_version=sql.content_hash("warehouse/staging"),
            kinds={"duckdb", "postgres"},
            freshness_policy=_policy(table),
            **_COMMON,
        )
        for table in MIRRORED
    ],
)
def staging(
    context: dg.AssetExecutionContext,
    config: SyncConfig,
    oltp: Oltp,
    warehouse: Warehouse,
    measurements: MeasurementsResource,
    scale: Scale,
) -> Iterator[dg.MaterializeResult]:
    database = oltp.database()
    selected = [table for table in MIRRORED if staging_key(table) in context.selected_asset_keys]
    with shown():
        chosen = named(config.tables, selected)
        tables = selected if config.full_refresh else chosen
        descriptions = describe(database, tables)
    with warehouse.open(holder=holder(context)) as connection:
        synced = extraction.sync(
            connection, database, descriptions, full_refresh=chosen if config.full_refresh else ()
        )
        counts = [connection.table(f"staging.{table.name}").shape[0] for table in tables]
    run = measurements.run(context, database, scale.value())
    measurements.store().append("syncs", [asdict(done) for done in synced], run=run)
    for description, done, count in zip(descriptions, synced, counts, strict=True):
        context.log.info(
            "%s: %s, %s rows, %s deleted", done.table_name, done.mode, done.rows, done.deleted
        )
        yield dg.MaterializeResult(
            staging_key(description.table), metadata=_staging_metadata(description, done, count)
        )


def _staging_metadata(description: Description, done: Synced, count: int) -> dict[str, Any]:
    table = description.table
    lags = {"lag_p50_s": done.lag_p50_s, "lag_p95_s": done.lag_p95_s, "lag_p99_s": done.lag_p99_s}
    columns = [
        dg.TableColumn(column.name, column.warehouse, column.comment or None)
        for column in description.columns
    ]
    source = table_key(table.schema, table.name)
    lineage = {
        column.name: [dg.TableColumnDep(source, column.name)] for column in description.columns
    }
    return {
        "dagster/row_count": count,
        "dagster/table_name": f"staging.{table.name}",
        "dagster/column_schema": dg.TableSchema(columns),
        "dagster/column_lineage": dg.TableColumnLineage(lineage),
        "warehouse": dg.MetadataValue.path(str(settings.load().warehouse)),
        "mode": done.mode,
        "rows": done.rows,
        "deleted": done.deleted,
        "seconds": done.seconds,
        "age_s": done.age_s,
        **{name: lag for name, lag in lags.items() if lag is not None},
    }


class MartsConfig(dg.Config):
    """How to refresh the marts."""

    full_refresh: bool = Field(
        default=False, description="Build the marts anew instead of what changes touched."
    )


@dg.multi_asset(
    name="marts",
    can_subset=True,
    specs=[
        dg.AssetSpec(
            mart_key(mart),
            deps=[dg.AssetKey(["staging", source]) for source in mart.sources],
            description=mart.description,
            code_version=sql.content_hash(mart.file),
            kinds={"duckdb"},
            freshness_policy=_policy(mart),
            **_COMMON,
        )
        for mart in marts.discovered()
    ],
)
def refreshed_marts(
    context: dg.AssetExecutionContext, config: MartsConfig, warehouse: Warehouse
) -> Iterator[dg.MaterializeResult]:
    chosen = [mart for mart in marts.discovered() if mart_key(mart) in context.selected_asset_keys]
    with warehouse.open(holder=holder(context)) as connection:
        refreshed = marts.refresh(connection, chosen, full_refresh=config.full_refresh)
        columns = [marts.columns(connection, mart) for mart in chosen]
    for done, documented in zip(refreshed, columns, strict=True):
        context.log.info(
            "%s: %s, %s keys, %s rows", done.mart.name, done.mode, done.keys, done.rows
        )
        yield dg.MaterializeResult(mart_key(done.mart), metadata=_mart_metadata(done, documented))


def _mart_metadata(done: Refreshed, columns: list[tuple[str, str, str]]) -> dict[str, Any]:
    mart = done.mart
    lineage = {
        column: [dg.TableColumnDep(dg.AssetKey(["staging", table]), name) for table, name in of]
        for column, of in mart.lineage.items()
    }
    return {
        "dagster/row_count": done.rows,
        "dagster/table_name": f"marts.{mart.name}",
        "dagster/column_schema": dg.TableSchema(
            [
                dg.TableColumn(name, type_, f"{comment} From {_sources(mart, name)}.")
                for name, type_, comment in columns
            ]
        ),
        "dagster/column_lineage": dg.TableColumnLineage(lineage),
        "lineage": dg.MetadataValue.md(_lineage(mart)),  # Dagster's own UI does not show the other
        "mode": done.mode,
        "keys": done.keys,
        "seconds": done.seconds,
        "age_s": done.age_s,
        "query": dg.MetadataValue.md(f"```sql\n{sql.read(mart.file)}\n```"),
    }


def _sources(mart: Mart, column: str) -> str:
    return ", ".join(f"staging.{table}.{name}" for table, name in mart.lineage[column])


def _lineage(mart: Mart) -> str:
    """The way of each column from the OLTP, a line for each source, with links to the assets."""
    schemas = {table.name: table.schema for table in MIRRORED}
    rows = [
        (
            "" if place else f"`{column}`",
            f"[staging.{table}](/assets/staging/{table}).`{name}`",
            f"[{schemas[table]}.{table}](/assets/oltp/{schemas[table]}/{table}).`{name}`",
        )
        for column, sources in mart.lineage.items()
        for place, (table, name) in enumerate(sources)
    ]
    return markdown.table(("column", "from staging", "from the OLTP"), rows)


assets = [staging, refreshed_marts]
