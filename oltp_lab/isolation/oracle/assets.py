"""What Dagster sees of the metamorphic oracle."""

from dataclasses import replace
from typing import Any

import dagster as dg
import pandas as pd
from pydantic import Field

from oltp_lab import sql
from oltp_lab.isolation.oracle import run as metamorphic
from oltp_lab.isolation.proofs import COMMON, promise
from oltp_lab.isolation.resource import IsolationSubject
from oltp_lab.measuring import markdown
from oltp_lab.resources import MeasurementsResource, Oltp, Scale


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
    check_specs=promise(
        "oracle",
        "rls_equals_filter",
        "Row level security leaves of every query what explicit filters leave.",
    ),
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


assets: list[Any] = [oracle]
