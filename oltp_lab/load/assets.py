"""What Dagster sees of load: the workloads, and what row level security and fresh figures cost."""

import re
from dataclasses import replace
from typing import Any

import dagster as dg
import pandas as pd
from pydantic import Field, field_validator

from oltp_lab import catalog, sql
from oltp_lab.load import execution, freshness_costs, pages
from oltp_lab.load import freshness as fresh_figures
from oltp_lab.load import rls_cost as comparison
from oltp_lab.load.workload import Workload, discovered
from oltp_lab.resources import MeasurementsResource, Oltp, Scale, table_key
from oltp_lab.resources.shown import shown

_COMMON: dict[str, Any] = {
    "key_prefix": "load",
    "group_name": "load",
    "kinds": {"postgres", "pgbench"},
    "owners": ["team:oltp_lab"],
}
_SCRATCH_READS = {("campaigns", "leads")}
_TABLE = re.compile(r"\b(\w+)\.(\w+)\b")


class LoadConfig(dg.Config):
    """What a load run may be told; what is left out comes from the scale."""

    arms: list[str] = Field(
        default=[], description="Arms of the workload or its sweep; empty: those of the workload."
    )
    sessions: list[int] = Field(
        default=[], description="A direct arm for each number of sessions, in place of the others."
    )
    seconds: float | None = Field(default=None, ge=0.5, le=3600, description="Measured, each arm.")
    warmup: float | None = Field(default=None, ge=0, le=600, description="Seconds, each arm.")
    rate: float | None = Field(
        default=None, gt=0, le=1e6, description="Transactions/s to offer; without: a closed loop."
    )
    latency_limit_ms: float | None = Field(
        default=None,
        gt=0,
        le=600_000,
        description="Of a rate: what would begin later than that is skipped, and counted.",
    )

    @field_validator("sessions")
    @classmethod
    def _bounded(cls, sessions: list[int]) -> list[int]:
        if not all(1 <= count <= 10_000 for count in sessions):
            raise ValueError("sessions are 1 to 10,000")
        return sessions


class RlsCostConfig(dg.Config):
    """What the comparison may be told; what is left out comes from the scale."""

    sessions: int | None = Field(default=None, ge=1, le=1000, description="pgbench's clients.")
    seconds: float | None = Field(
        default=None, ge=0.5, le=3600, description="Measured, each operation."
    )

    def given(self) -> dict[str, Any]:
        """What takes the place of the experiment's own."""
        told = {"sessions": self.sessions, "seconds": self.seconds}
        return {name: value for name, value in told.items() if value is not None}


class FreshnessConfig(dg.Config):
    """What the measurement of freshness may be told; what is left out comes from the scale."""

    rate: float | None = Field(default=None, gt=0, le=1e6, description="Transactions/s to offer.")
    seconds: float | None = Field(default=None, ge=1, le=3600, description="Measured, all turns.")

    def given(self) -> dict[str, Any]:
        """What takes the place of the experiment's own."""
        told = {"rate": self.rate, "seconds": self.seconds}
        return {name: value for name, value in told.items() if value is not None}


def _tables(folder: str) -> list[dg.AssetKey]:
    """The tables that some SQL of a folder names, and those that scratch is drawn from."""
    files = [file for pattern in ("*.sql", "*/*.sql") for file in sql.files(folder, pattern)]
    named = {pair for file in files for pair in _TABLE.findall(sql.read(file))}
    return [table_key(*table) for table in sorted((named & set(catalog.tables())) | _SCRATCH_READS)]


def _workload(name: str) -> Any:
    """A workload's asset."""

    @dg.asset(
        name=name,
        code_version=sql.content_hash("measuring/scratch.sql", f"load/{name}"),
        description=Workload.read(name, "challenge").description,
        deps=_tables(f"load/{name}"),
        **_COMMON,
    )
    def workload(
        context: dg.AssetExecutionContext,
        config: LoadConfig,
        oltp: Oltp,
        measurements: MeasurementsResource,
        scale: Scale,
    ) -> dg.MaterializeResult:
        database, store = oltp.database(), measurements.store()
        run = measurements.run(context, database, scale.value())
        with shown():
            told = Workload.read(name, scale.value()).told(**config.model_dump())
            for outcome in execution.execute(database, told, store, run):
                context.log.info("%s", outcome)
        return dg.MaterializeResult(metadata=pages.workload(store, run, name))

    return workload


@dg.asset(
    name=comparison.NAME,
    code_version=sql.content_hash("measuring/scratch.sql", f"load/{comparison.NAME}"),
    description="What row level security costs: each operation with it, with it alone, and on "
    "copies of the tables without it, mixed in one run and compared in the same moments.",
    deps=_tables(f"load/{comparison.NAME}"),
    **_COMMON,
)
def rls_cost(
    context: dg.AssetExecutionContext,
    config: RlsCostConfig,
    oltp: Oltp,
    measurements: MeasurementsResource,
    scale: Scale,
) -> dg.MaterializeResult:
    database, store = oltp.database(), measurements.store()
    run = measurements.run(context, database, scale.value())
    experiment = replace(comparison.Experiment.read(scale.value()), **config.given())
    variants = pd.DataFrame(comparison.execute(database, experiment, store, run))
    return dg.MaterializeResult(metadata=pages.rls_cost(variants))


@dg.asset(
    name=freshness_costs.NAME,
    code_version=sql.content_hash("measuring/scratch.sql", freshness_costs.FOLDER),
    description="What fresh figures cost the campaign workload and how fresh they are: the live "
    "view, syncs of the campaign tables and of everything with their marts, and a report asked of "
    "the OLTP, in turns with nothing, beside one load at a fixed rate.",
    deps=[*{*_tables(freshness_costs.FOLDER), *_tables("load/campaign_scale")}],
    **_COMMON,
)
def freshness(
    context: dg.AssetExecutionContext,
    config: FreshnessConfig,
    oltp: Oltp,
    measurements: MeasurementsResource,
    scale: Scale,
) -> dg.MaterializeResult:
    database, store = oltp.database(), measurements.store()
    run = measurements.run(context, database, scale.value())
    experiment = replace(freshness_costs.Experiment.read(scale.value()), **config.given())
    with shown():
        ways = pd.DataFrame(fresh_figures.execute(database, experiment, store, run))
    return dg.MaterializeResult(metadata=pages.freshness(store, ways))


assets = [*map(_workload, discovered()), rls_cost, freshness]
