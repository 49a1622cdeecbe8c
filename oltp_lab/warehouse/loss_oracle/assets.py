"""What Dagster sees of the loss oracle."""

import dagster as dg
import pandas as pd
from pydantic import Field

from oltp_lab import settings, sql
from oltp_lab.measuring import markdown
from oltp_lab.resources import MeasurementsResource, Oltp, Scale, table_key
from oltp_lab.resources.shown import shown
from oltp_lab.warehouse.loss_oracle import run as ordeal
from oltp_lab.warehouse.loss_oracle.run import Extent, Judged
from oltp_lab.warehouse.tables import MIRRORED

CHECK = "nothing_is_lost"


class LossOracleConfig(dg.Config):
    """What the loss oracle may be told."""

    seed: int = Field(default=1, description="The same seed kills at the same boundaries.")


@dg.asset(
    name="loss_oracle",
    key_prefix="warehouse",
    group_name="warehouse",
    kinds={"duckdb", "postgres"},
    owners=["team:oltp_lab"],
    deps=[table_key(table.schema, table.name) for table in MIRRORED],
    code_version=sql.content_hash("warehouse"),
    description="Writers on a throw-away server, which is crashed, while syncs and refreshes are "
    "killed at every boundary; then the warehouse is compared with what was acknowledged.",
    check_specs=[
        dg.AssetCheckSpec(
            CHECK,
            asset=["warehouse", "loss_oracle"],
            blocking=True,
            description="Nothing is lost, phantom, duplicate or stale, and the cursors that others "
            "extract by did lose rows.",
        )
    ],
)
def loss_oracle(
    context: dg.AssetExecutionContext,
    config: LossOracleConfig,
    oltp: Oltp,
    measurements: MeasurementsResource,
    scale: Scale,
) -> dg.MaterializeResult:
    extent, holder = Extent.read(scale.value()), f"loss_oracle (run {context.run.run_id})"
    with shown():
        judged = ordeal.run(settings.load(), extent, holder, seed=config.seed)
    run = measurements.run(context, oltp.database(), scale.value())
    store = measurements.store()
    store.append("loss_oracle", judged.verdict_rows(), run=run)
    store.append("loss_oracle_done", judged.done_rows(), run=run)
    return dg.MaterializeResult(
        metadata={
            "verdicts": dg.MetadataValue.md(markdown.frame(pd.DataFrame(judged.verdict_rows()))),
            "killed_at": dg.MetadataValue.md(_counted(judged, "killed at")),
            "transactions": dg.MetadataValue.md(_counted(judged, "transaction")),
            "seconds": judged.seconds,
        },
        check_results=[_checked(judged)],
    )


def _counted(judged: Judged, kind: str) -> str:
    return markdown.table(("what", "times"), sorted(judged.done[kind].items()), right={"times"})


def _checked(judged: Judged) -> dg.AssetCheckResult:
    """A fault is an error, and so is a run that proves nothing."""
    failures, doubts = judged.failures(), judged.doubts()
    told = "; ".join(failures or (["proves nothing", *doubts] if doubts else []))
    return dg.AssetCheckResult(
        check_name=CHECK,
        passed=not told,
        description=told or f"{judged.headline}: nothing lost, phantom, duplicate or stale",
        metadata={"faults": len(failures), "doubts": len(doubts)},
    )


assets = [loss_oracle]
