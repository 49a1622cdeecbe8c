"""What Dagster sees of load: the workloads, their checks, and what row level security costs."""

import re
from dataclasses import replace
from typing import Any

import dagster as dg
import pandas as pd
from pydantic import Field, field_validator

from oltp_lab import catalog, sql
from oltp_lab.load import rls_cost as comparison
from oltp_lab.load import workloads
from oltp_lab.load.workloads import Workload
from oltp_lab.measuring import markdown, plots
from oltp_lab.measuring.store import Measurements, Run
from oltp_lab.resources import MeasurementsResource, Oltp, Scale, table_key
from oltp_lab.resources.shown import shown

_QUERIES = "load/queries.sql"
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
            for outcome in workloads.execute(database, told, store, run):
                context.log.info("%s", outcome)
        return dg.MaterializeResult(metadata=_shown(store, run, name))

    return workload


def _shown(store: Measurements, run: Run, workload: str) -> dict[str, Any]:
    """What the asset's page shows of a run."""
    asked = {"run_id": run.run_id, "workload": workload}
    queries = sql.queries(_QUERIES)
    arms, operations = (store.read(queries[name], asked) for name in ("arms", "operations"))
    metadata = {
        "arms": dg.MetadataValue.md(markdown.frame(arms)),
        "operations": dg.MetadataValue.md(markdown.frame(operations)),
        "latency": dg.MetadataValue.md(markdown.image(plots.latencies(operations), "Latency")),
        **_floats(arms, "tps_{arm}", "tps"),
        **_floats(arms, "server_cpu_percent_{arm}", "server_cpu_percent"),
        **_floats(arms, "server_memory_mb_{arm}", "server_memory_mb"),
        **_floats(operations, "p95_ms_{arm}_{operation}", "p95_ms"),
    }
    if "load_figures" in store.tables():
        figures = store.read(queries["figures"], asked)
        metadata["figures"] = dg.MetadataValue.md(markdown.frame(figures))
        metadata |= _floats(figures, "{figure}_{arm}", "value")
    return metadata


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
    compared = variants.query("verdict != @comparison.NOISE")
    shown = variants.drop(columns=["experiment", "baseline", "plan"])
    return dg.MaterializeResult(
        metadata={
            "variants": dg.MetadataValue.md(markdown.frame(shown)),
            "ratios": dg.MetadataValue.md(markdown.image(plots.ratios(variants), "Ratios")),
            **_floats(compared, "{operation}_{variant}", "ratio"),
            "noise": max(float(noise) for noise in variants["noise"]),
        }
    )


def _no_failed_sessions(workload: str) -> dg.AssetChecksDefinition:
    """The check that the newest run of a workload is whole."""

    @dg.asset_check(
        asset=dg.AssetKey(["load", workload]),
        blocking=True,
        description="No session was aborted, by a broken assertion of isolation or otherwise, and "
        "every arm that can run here ran to its end.",
    )
    def no_failed_sessions(measurements: MeasurementsResource) -> dg.AssetCheckResult:
        broken = (
            measurements.store()
            .read(sql.queries(_QUERIES)["broken"], {"workload": workload})
            .to_dict("records")
        )
        return dg.AssetCheckResult(
            passed=not broken,
            severity=dg.AssetCheckSeverity.ERROR,
            description="; ".join(f"{row['arm']}: {row['failure']}" for row in broken) or None,
            metadata={
                "broken_arms": len(broken),
                "aborted_sessions": sum(row["aborted"] for row in broken),
            },
        )

    return no_failed_sessions


def _invariants_hold(workload: str) -> dg.AssetChecksDefinition:
    """The check that what must hold after a workload's newest run does."""

    @dg.asset_check(
        asset=dg.AssetKey(["load", workload]),
        blocking=True,
        description="What must hold after the load does: " + ", ".join(
            name.replace("_", " ") for name in sql.queries(f"load/{workload}/invariants.sql")
        ),
    )  # fmt: skip
    def invariants_hold(measurements: MeasurementsResource) -> dg.AssetCheckResult:
        judged = measurements.store().read(
            sql.queries(_QUERIES)["invariants"], {"workload": workload}
        )
        broken = judged.query("broken").to_dict("records")
        return dg.AssetCheckResult(
            passed=not broken and len(judged) > 0,
            severity=dg.AssetCheckSeverity.ERROR,
            description="; ".join(f"{row['invariant']}: {row['told']}" for row in broken) or None,
            metadata={"invariants": len(judged), "broken": len(broken)},
        )

    return invariants_hold


def _floats(frame: pd.DataFrame, name: str, column: str) -> dict[str, float]:
    """A figure a row, which Dagster plots over runs; what was not measured is left out."""
    measured = frame.dropna(subset=[column]).to_dict("records")
    return {name.format(**row): float(row[column]) for row in measured}


_names = workloads.discovered()
assets = [*map(_workload, _names), rls_cost]
checks = [
    *map(_no_failed_sessions, _names),
    *(
        _invariants_hold(name)
        for name in _names
        if sql.path(f"load/{name}/invariants.sql").exists()
    ),
]
