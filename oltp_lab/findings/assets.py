"""The asset ``report``: what Dagster sees of the findings."""

import time
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

import dagster as dg
import psutil

from oltp_lab import catalog, settings, sql
from oltp_lab.findings import report as page
from oltp_lab.findings import schema_pictures, tables
from oltp_lab.findings.finding import Finding
from oltp_lab.resources import MeasurementsResource, Oltp, Scale, table_key
from oltp_lab.servers import busy


def _measured() -> Iterator[dg.AssetKey]:
    """Everything that leaves measurements, as the folders of ``sql/`` name it."""
    yield dg.AssetKey("schema")
    for schema, table in catalog.tables():
        yield table_key(schema, table)
    for proof in ("mutants", "oracle", "under_load", "covert_channels", "index_safety"):
        yield dg.AssetKey(["isolation", proof])
    for run in sql.folders("load", "workload.toml", "experiment.toml"):
        yield dg.AssetKey(["load", run])
    for mart in sql.files("warehouse/marts"):
        yield dg.AssetKey(["marts", PurePath(mart).stem])
    yield dg.AssetKey(["warehouse", "loss_oracle"])
    for neighbour in (
        "content_lifecycle", "notifications", "dns_verification", "ip_operations", "payments",
        "authentication",
    ):  # fmt: skip
        yield dg.AssetKey(["neighbours", neighbour])


@dg.asset(
    group_name="findings",
    kinds={"duckdb", "html"},
    owners=["team:oltp_lab"],
    code_version=sql.content_hash("findings"),
    deps=list(_measured()),
    description="One self-contained page of what was found, read from the measurement files, and "
    "of the schema, drawn from the catalog.",
)
def report(
    context: dg.AssetExecutionContext,
    oltp: Oltp,
    measurements: MeasurementsResource,
    scale: Scale,
) -> dg.MaterializeResult:
    path = settings.load().report
    store = measurements.store()
    database = oltp.database()
    with database.connect() as connection:
        pictures = schema_pictures.read(connection)
    found = page.write(store, path, pictures)
    run = measurements.run(context, database, scale.value())
    store.append("runs", [_times(context.job_name)], run=run)
    for finding in found:
        context.log.info(finding.headline)
    context.log.info("report: %s", path)
    metadata: dict[str, Any] = {"report": dg.MetadataValue.path(str(path))}
    for finding in found:
        metadata |= _metadata(finding)
    return dg.MaterializeResult(metadata=metadata)


def _times(job: str) -> dict[str, Any]:
    """How long this process has lived, and how much of that it waited for a database."""
    began = psutil.Process().create_time()
    wall = time.time() - began
    return {"job": job, "wall_s": wall, "busy_s": busy.seconds(began)}


def _metadata(finding: Finding) -> dict[str, Any]:
    """The card's figures, its headline and its tables."""
    metadata: dict[str, Any] = {finding.name: finding.headline}
    for name, figure in finding.figures.items():
        metadata[f"{finding.name}/{name}"] = figure
    for query, frame in finding.frames.items():
        kind, caption = query.split("_", 1)
        if kind == "table" and frame is not None and not frame.empty:
            text = tables.of(frame, caption).markdown()
            metadata[f"{finding.name}/{caption}"] = dg.MetadataValue.md(text)
    return metadata


assets = [report]
