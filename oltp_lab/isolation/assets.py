"""What Dagster sees of the isolation stage beside the attacks: one asset a proof."""

from dataclasses import replace
from typing import Any

import dagster as dg
import pandas as pd
from pydantic import Field

from oltp_lab import catalog, settings, sql
from oltp_lab.isolation import mutants as mutation
from oltp_lab.isolation import oracle as metamorphic
from oltp_lab.isolation.resource import IsolationSubject
from oltp_lab.measuring import markdown
from oltp_lab.resources import MeasurementsResource, Oltp, Scale, table_key

COMMON: dict[str, Any] = {
    "key_prefix": "isolation",
    "group_name": "isolation",
    "kinds": {"postgres"},
    "owners": ["team:oltp_lab"],
    "deps": [table_key(*table) for table in catalog.tables()],
}


def skipped(check: str) -> dg.MaterializeResult:
    """What becomes of a proof that is about the lab's own database alone: it is not passed."""
    told = "not tried: the run config names another database, and this is proven on the lab's alone"
    return dg.MaterializeResult(
        metadata={"skipped": told},
        check_results=[
            dg.AssetCheckResult(
                check_name=check,
                passed=False,
                severity=dg.AssetCheckSeverity.WARN,
                description=told,
            )
        ],
    )


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
    check_specs=[
        dg.AssetCheckSpec(
            "every_mutant_is_caught",
            asset=["isolation", "mutants"],
            blocking=True,
            description="Some attack gets through on every mutant, and none without one.",
        )
    ],
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


class OracleConfig(dg.Config):
    """What the oracle may be told; what is left out comes from the scale."""

    seed: int = Field(default=1, description="The same seed asks the same rows the same queries.")
    queries: int | None = Field(default=None, ge=1, le=1_000_000, description="How many to ask.")

    def extent(self, scale: str) -> metamorphic.Extent:
        """The scale's, with what was told in its place."""
        extent = metamorphic.Extent.read(scale)
        return replace(extent, queries=self.queries or extent.queries)


@dg.asset(
    name="oracle",
    code_version=sql.content_hash("isolation/oracle"),
    description="Generated queries, each asked as the application in a tenant's context and as the "
    "platform with a filter on every table: both must see the same rows.",
    check_specs=[
        dg.AssetCheckSpec(
            "rls_equals_filter",
            asset=["isolation", "oracle"],
            blocking=True,
            description="Row level security leaves of every query what explicit filters leave.",
        )
    ],
    **COMMON,
)
def oracle(
    context: dg.AssetExecutionContext,
    config: OracleConfig,
    oltp: Oltp,
    subject: IsolationSubject,
    measurements: MeasurementsResource,
    scale: Scale,
) -> dg.MaterializeResult:
    tested, extent = subject.value(oltp), config.extent(scale.value())
    verdict = metamorphic.run(tested, extent, config.seed)
    rows = [{"subject": tested.name, **row} for row in verdict.rows()]
    run = measurements.run(context, oltp.database(), scale.value())
    measurements.store().append("oracle_queries", rows, run=run)
    total = verdict.total
    tallies = pd.DataFrame(rows).drop(columns=["subject", "seed", "seconds", "failure"])
    return dg.MaterializeResult(
        metadata={
            "tallies": dg.MetadataValue.md(markdown.frame(tallies)),
            "queries": total.queries,
            "queries_per_second": total.queries / verdict.seconds,
            "non_empty": total.non_empty / total.queries,
            "differing_without_a_filter": total.differing / max(total.unfiltered, 1),
            "dropped": total.dropped,
        },
        check_results=[_judged(verdict)],
    )


def _judged(verdict: metamorphic.Verdict) -> dg.AssetCheckResult:
    """A difference is an error; where equal answers prove little, that is a warning."""
    failure, doubts = verdict.failure, verdict.doubts()
    severity = dg.AssetCheckSeverity.ERROR if failure else dg.AssetCheckSeverity.WARN
    told = str(failure) if failure else "; ".join(["not proven", *doubts]) if doubts else None
    metadata = vars(failure) if failure else {}
    return dg.AssetCheckResult(
        check_name="rls_equals_filter",
        passed=not failure and not doubts,
        severity=severity,
        description=told or f"{verdict.total.queries} queries saw the same rows either way",
        metadata={name: str(value) for name, value in metadata.items()},
    )


assets: list[Any] = [mutants, oracle]
checks: list[Any] = []
