"""What Dagster sees of the safety of indexes."""

from typing import Any

import dagster as dg

from oltp_lab import sql
from oltp_lab.isolation.indexes import safety as indexes
from oltp_lab.isolation.proofs import COMMON, promise, skipped
from oltp_lab.isolation.resource import IsolationSubject
from oltp_lab.resources import MeasurementsResource, Oltp, Scale
from oltp_lab.resources.shown import shown


@dg.asset(
    name="index_safety",
    code_version=sql.content_hash("isolation/index_safety", "isolation/index_safety.sql"),
    description="Every statement of the application's operations and of the load scripts, planned "
    "under row level security and with an explicit filter alone: which indexes each can use.",
    check_specs=promise(
        "index_safety",
        "indexes_survive_rls",
        "What the platform looks up in an index, the application looks up there "
        "too: no operator that is not leakproof keeps it from doing so.",
    ),
    **COMMON,
)
def index_safety(
    context: dg.AssetExecutionContext,
    oltp: Oltp,
    subject: IsolationSubject,
    measurements: MeasurementsResource,
    scale: Scale,
) -> dg.MaterializeResult:
    if subject.url:
        return skipped("indexes_survive_rls")
    database = oltp.database()
    with shown():
        compared, uncompared = indexes.run(database)
    run = measurements.run(context, database, scale.value())
    measurements.store().append("index_safety", [vars(one) for one in compared], run=run)
    lost = [one for one in compared if not one.safe]
    told = "; ".join(map(str, (*lost, *uncompared)))
    verdict = dg.AssetCheckResult(
        check_name="indexes_survive_rls",
        passed=not told,
        severity=dg.AssetCheckSeverity.ERROR if lost else dg.AssetCheckSeverity.WARN,
        description=told or f"{len(compared)} uses of an index, none lost",
    )
    figures = {"compared": len(compared), "lost": len(lost), "uncompared": len(uncompared)}
    return dg.MaterializeResult(metadata=figures, check_results=[verdict])


assets: list[Any] = [index_safety]
