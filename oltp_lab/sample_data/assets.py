"""One asset a table, all made by one operation: what Dagster sees of filling the database."""

import re
from collections.abc import Iterator

import dagster as dg
from pydantic import Field

from oltp_lab import catalog, sql
from oltp_lab.resources import MeasurementsResource, Oltp, Scale, table_key
from oltp_lab.sample_data import load

_TABLE_COMMENT = re.compile(r"^comment on table (\w+)\.(\w+) is '((?:[^']|'')*)';", re.MULTILINE)


class SampleDataConfig(dg.Config):
    """What the rows are drawn by."""

    seed: int = Field(
        default=1, ge=0, lt=2**63, description="The same seed and scale give the same rows."
    )


def _specs() -> list[dg.AssetSpec]:
    comments = {
        (schema, table): comment.replace("''", "'")
        for folder in ("schema/nile", "schema/tables")
        for file in sql.files(folder)
        for schema, table, comment in _TABLE_COMMENT.findall(sql.read(file))
    }
    return [
        dg.AssetSpec(
            table_key(*table),
            deps=["schema"],
            group_name="sample_data",
            kinds={"postgres"},
            owners=["team:oltp_lab"],
            description=comments.get(table),
            code_version=load.content_hash(),
        )
        for table in catalog.tables()
    ]


@dg.multi_asset(
    name="sample_data",
    specs=_specs(),
    description="Fills every table with seeded rows whose histories agree, in one transaction, "
    "unless the database holds exactly these already.",
)
def sample_data(
    context: dg.AssetExecutionContext,
    config: SampleDataConfig,
    oltp: Oltp,
    scale: Scale,
    measurements: MeasurementsResource,
) -> Iterator[dg.MaterializeResult]:
    database = oltp.database()
    built = load.ensure(database, scale.value(), config.seed)
    with database.connect("lab_platform") as connection:  # an owner would see no rows
        tables = catalog.describe(connection)
    total = sum(table.rows for table in tables.values())
    context.log.info(
        "%s rows of scale %s, seed %s: %s",
        f"{total:,}",
        scale.value(),
        config.seed,
        f"written in {built.seconds:.1f} s" if built.rebuilt else "unchanged",
    )
    measurements.store().append(
        "tables",
        [
            {"table_name": f"{t.schema}.{t.name}", "rows": t.rows, "bytes": t.bytes}
            for t in tables.values()
        ],
        run=measurements.run(context, database, scale.value()),
    )
    for place in catalog.tables():
        yield _result(tables[place], built, total)


def _result(table: catalog.Table, built: load.Build, total: int) -> dg.MaterializeResult:
    speed: dict[str, float] = {}
    if built.rebuilt:
        speed = {"seconds": built.seconds, "rows_per_second": total / built.seconds}
    return dg.MaterializeResult(
        asset_key=table_key(table.schema, table.name),
        metadata={
            "dagster/row_count": table.rows,
            "dagster/table_name": f"{table.schema}.{table.name}",
            "dagster/column_schema": _column_schema(table),
            "bytes": table.bytes,
            "rebuilt": built.rebuilt,
            "scale": built.details["scale"],
            "seed": built.details["seed"],
            "content_hash": built.content_hash,
            **speed,
        },
    )


def _column_schema(table: catalog.Table) -> dg.TableSchema:
    return dg.TableSchema(
        [
            dg.TableColumn(
                column.name,
                column.type,
                column.comment,
                dg.TableColumnConstraints(nullable=column.nullable),
            )
            for column in table.columns
        ]
    )


assets = [sample_data]
