"""What Dagster sees of the load stage: a workload, what row level security costs, and a check."""

from dataclasses import replace
from typing import Any

import dagster as dg
import pandas as pd
from pydantic import Field, field_validator

from oltp_lab import sql
from oltp_lab.load import rls_cost as comparison
from oltp_lab.load import workloads
from oltp_lab.load.workloads import Workload
from oltp_lab.measuring import markdown, plots
from oltp_lab.resources import MeasurementsResource, Oltp, Scale, table_key

TENANT_ISOLATION = "tenant_isolation"
_QUERIES = "load/queries.sql"
_COMMON: dict[str, Any] = {
    "key_prefix": "load",
    "group_name": "load",
    "kinds": {"postgres", "pgbench"},
    "owners": ["team:oltp_lab"],
    "deps": [
        table_key("campaigns", table)
        for table in ("campaigns", "steps", "leads", "enrollments", "events")
    ],
}


class LoadConfig(dg.Config):
    """What a load run may be told; what is left out comes from the scale."""

    sessions: list[int] = Field(
        default=[], description="An arm for each number of sessions; empty: those of the workload."
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

    def given(self) -> dict[str, Any]:
        """What takes the place of the workload's own."""
        arms = {f"direct_{count}": count for count in self.sessions} or None
        told = {"arms": arms, "seconds": self.seconds, "warmup": self.warmup, "rate": self.rate}
        return {name: value for name, value in told.items() if value is not None}


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


@dg.asset(
    name=TENANT_ISOLATION,
    code_version=sql.content_hash("measuring/scratch.sql", f"load/{TENANT_ISOLATION}"),
    description="Reads and writes of 100 tenants by 8, 100 and 1,000 sessions at once, as the "
    "application's role. Every transaction asserts that it sees no other tenant's rows.",
    **_COMMON,
)
def tenant_isolation(
    context: dg.AssetExecutionContext,
    config: LoadConfig,
    oltp: Oltp,
    measurements: MeasurementsResource,
    scale: Scale,
) -> dg.MaterializeResult:
    database, store = oltp.database(), measurements.store()
    run = measurements.run(context, database, scale.value())
    workload = replace(Workload.read(TENANT_ISOLATION, scale.value()), **config.given())
    for outcome in workloads.execute(database, workload, store, run):
        context.log.info("%s", outcome)
    asked = {"run_id": run.run_id, "workload": workload.name}
    arms = store.read(sql.queries(_QUERIES)["arms"], asked)
    operations = store.read(sql.queries(_QUERIES)["operations"], asked)
    return dg.MaterializeResult(
        metadata={
            "arms": dg.MetadataValue.md(markdown.frame(arms)),
            "operations": dg.MetadataValue.md(markdown.frame(operations)),
            "latency": dg.MetadataValue.md(markdown.image(plots.latencies(operations), "Latency")),
            **_floats(arms, "tps_{sessions}", "tps"),
            **_floats(arms, "server_cpu_percent_{sessions}", "server_cpu_percent"),
            **_floats(arms, "server_memory_mb_{sessions}", "server_memory_mb"),
            **_floats(operations, "p95_ms_{sessions}_{operation}", "p95_ms"),
        }
    )


@dg.asset(
    name=comparison.NAME,
    code_version=sql.content_hash("measuring/scratch.sql", f"load/{comparison.NAME}"),
    description="What row level security costs: each operation with it, with it alone, and on "
    "copies of the tables without it, mixed in one run and compared in the same moments.",
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


@dg.asset_check(
    asset=dg.AssetKey(["load", TENANT_ISOLATION]),
    blocking=True,
    description="No session was aborted, by a broken assertion of isolation or otherwise, and "
    "every arm ran to its end.",
)
def no_failed_sessions(measurements: MeasurementsResource) -> dg.AssetCheckResult:
    broken = (
        measurements.store()
        .read(sql.queries(_QUERIES)["broken"], {"workload": TENANT_ISOLATION})
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


def _floats(frame: pd.DataFrame, name: str, column: str) -> dict[str, float]:
    """A figure a row, which Dagster plots over runs; what was not measured is left out."""
    measured = frame.dropna(subset=[column]).to_dict("records")
    return {name.format(**row): float(row[column]) for row in measured}


assets = [tenant_isolation, rls_cost]
checks = [no_failed_sessions]
