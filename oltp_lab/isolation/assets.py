"""What Dagster sees of the isolation stage beside the attacks: one asset a proof."""

from dataclasses import replace
from typing import Any

import dagster as dg
from pydantic import Field

from oltp_lab import catalog, sql
from oltp_lab.isolation import under_load as load
from oltp_lab.measuring import markdown
from oltp_lab.resources import MeasurementsResource, Oltp, Scale, table_key

COMMON: dict[str, Any] = {
    "key_prefix": "isolation",
    "group_name": "isolation",
    "kinds": {"postgres"},
    "owners": ["team:oltp_lab"],
    "deps": [table_key(*table) for table in catalog.tables()],
}

_UNDER_LOAD = "isolation/under_load/measured.sql"


class UnderLoadConfig(dg.Config):
    """What isolation under load may be told; what is left out comes from the scale."""

    clients: int | None = Field(default=None, ge=1, le=500, description="At once, each arm.")
    sessions: int | None = Field(default=None, ge=1, le=500, description="Of each pool.")
    seconds: float | None = Field(default=None, ge=0.5, le=3600, description="Each arm.")

    def given(self) -> dict[str, Any]:
        """What takes the place of the plan's own."""
        return {name: value for name, value in dict(self).items() if value is not None}


@dg.asset(
    name="under_load",
    code_version=sql.content_hash("measuring/scratch.sql", "isolation/under_load"),
    description="Users of 100 tenants at once, directly and through pools, while statements fail, "
    "are cancelled and sessions end. Every statement asserts whose rows it saw.",
    **COMMON,
)
def under_load(
    context: dg.AssetExecutionContext,
    config: UnderLoadConfig,
    oltp: Oltp,
    measurements: MeasurementsResource,
    scale: Scale,
) -> dg.MaterializeResult:
    database, store = oltp.database(), measurements.store()
    run = measurements.run(context, database, scale.value())
    plan = replace(load.Plan.read(scale.value()), **config.given())
    rows = load.execute(database, plan, store, run)
    for row in rows:
        context.log.info("%s", load.told(row))
    arms = store.read(sql.queries(_UNDER_LOAD)["arms"], {"run_id": run.run_id})
    return dg.MaterializeResult(
        metadata={
            "arms": dg.MetadataValue.md(markdown.frame(arms)),
            "assertions": sum(row["assertions"] for row in rows),
            "leaks": sum(row["leaks"] for row in rows),
        }
    )


@dg.asset_check(
    asset=dg.AssetKey(["isolation", "under_load"]),
    blocking=True,
    description="No statement saw another tenant's rows or context, while the controls of each way "
    "in, which set the tenant for the session, all leaked.",
)
def no_leak_under_load(measurements: MeasurementsResource) -> dg.AssetCheckResult:
    queries, store = sql.queries(_UNDER_LOAD), measurements.store()
    broken = store.read(queries["broken"]).to_dict("records")
    (ran,) = store.read(queries["ran"]).to_dict("records")
    return dg.AssetCheckResult(
        passed=not broken and ran["arms"] > 0,
        severity=dg.AssetCheckSeverity.ERROR,
        description="; ".join(f"{row['arm']}: {row['problem']}" for row in broken) or None,
        metadata={
            "arms": int(ran["arms"]),
            "assertions": int(ran["assertions"]),
            "leaks": sum(int(row["leaks"]) for row in broken),
        },
    )


assets: list[Any] = [under_load]
checks: list[Any] = [no_leak_under_load]
