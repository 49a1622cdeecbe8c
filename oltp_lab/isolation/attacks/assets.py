"""What Dagster sees of the mutants. (The attacks themselves are checks of the tables.)"""

from typing import Any

import dagster as dg
from pydantic import Field

from oltp_lab import settings, sql
from oltp_lab.isolation.attacks import mutants as mutation
from oltp_lab.isolation.proofs import COMMON, promise, skipped
from oltp_lab.isolation.resource import IsolationSubject
from oltp_lab.measuring import markdown
from oltp_lab.resources import MeasurementsResource, Oltp, Scale


class MutantsConfig(dg.Config):
    """Which mutants to try."""

    mutants: list[str] = Field(
        default=[], description="Names of files in sql/isolation/mutants; empty: all."
    )


@dg.asset(
    name="mutants",
    code_version=sql.content_hash("isolation"),
    description="Breaks clones of the database on a throw-away server, each in one way, and "
    "attacks them: an attack must get through, or the catalogue lacks one.",
    check_specs=promise(
        "mutants",
        "every_mutant_is_caught",
        "Some attack gets through on every mutant, and none without one.",
    ),
    **COMMON,
)
def mutants(
    context: dg.AssetExecutionContext,
    config: MutantsConfig,
    oltp: Oltp,
    subject: IsolationSubject,
    measurements: MeasurementsResource,
    scale: Scale,
) -> dg.MaterializeResult:
    if subject.url:
        return skipped("every_mutant_is_caught")
    holder = f"mutants (run {context.run.run_id})"
    tried = mutation.run(settings.load(), mutation.catalogue(config.mutants), holder)
    rows = [trial.row for trial in tried]
    run = measurements.run(context, oltp.database(), scale.value())
    measurements.store().append("isolation_mutants", rows, run=run)
    nothing, *broken = rows
    survivors = [row["mutant"] for row in broken if not row["caught"]]
    told = [f"{row['mutant']} survived" for row in broken if not row["caught"]]
    if nothing["caught"]:
        told.append(f"an attack gets through without a mutant: {nothing['detail']}")
    shown = ("mutant", "table_name", "attack", "way", "role", "detail", "description")
    return dg.MaterializeResult(
        metadata={
            "mutants": len(broken),
            "caught": len(broken) - len(survivors),
            "score": (len(broken) - len(survivors)) / len(broken),
            "trials": dg.MetadataValue.md(
                markdown.table(shown, ([row[name] or "-" for name in shown] for row in broken))
            ),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="every_mutant_is_caught",
                passed=not told,
                description="; ".join(told) or f"{len(broken)} mutants, all caught",
                metadata={"survivors": len(survivors)},
            )
        ],
    )


assets: list[Any] = [mutants]
