"""What Dagster sees of isolation under load."""

from dataclasses import replace
from typing import Any

import dagster as dg
from pydantic import Field

from oltp_lab import sql
from oltp_lab.isolation.proofs import COMMON, promise, skipped
from oltp_lab.isolation.resource import IsolationSubject
from oltp_lab.isolation.under_load import run as load
from oltp_lab.measuring import markdown
from oltp_lab.resources import MeasurementsResource, Oltp, Scale

_UNDER_LOAD = "isolation/under_load/measured.sql"
_NO_LEAK = "no_leak_under_load"


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
    check_specs=promise(
        "under_load",
        _NO_LEAK,
        "No statement saw another tenant's rows or context, while the controls of "
        "each way in, which set the tenant for the session, all leaked.",
    ),
    **COMMON,
)
def under_load(
    context: dg.AssetExecutionContext,
    config: UnderLoadConfig,
    oltp: Oltp,
    subject: IsolationSubject,
    measurements: MeasurementsResource,
    scale: Scale,
) -> dg.MaterializeResult:
    if subject.url:
        return skipped(_NO_LEAK)
    database, store = oltp.database(), measurements.store()
    run = measurements.run(context, database, scale.value())
    plan = replace(load.Plan.read(scale.value()), **config.given())
    rows = load.execute(database, plan, store, run)
    for row in rows:
        context.log.info("%s", load.told(row))
    queries, asked = sql.queries(_UNDER_LOAD), {"run_id": run.run_id}
    broken = store.read(queries["broken"], asked).to_dict("records")
    told = "; ".join(f"{row['arm']}: {row['problem']}" for row in broken)
    figures = {name: sum(row[name] for row in rows) for name in ("assertions", "leaks")}
    arms = dg.MetadataValue.md(markdown.frame(store.read(queries["arms"], asked)))
    return dg.MaterializeResult(
        metadata={"arms": arms, **figures},
        check_results=[
            dg.AssetCheckResult(
                check_name=_NO_LEAK,
                passed=figures["assertions"] > 0 and not broken,
                description=told or "; ".join(map(load.told, rows)),
                metadata=figures,
            )
        ],
    )


assets: list[Any] = [under_load]
