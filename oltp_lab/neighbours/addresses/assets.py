"""What Dagster sees of the SMTP addresses' operations."""

import dagster as dg
import pandas as pd

from oltp_lab import sql
from oltp_lab.measuring import markdown
from oltp_lab.neighbours.addresses.run import CHECKS, Judged, run
from oltp_lab.neighbours.addresses.trial import TABLES, Extent
from oltp_lab.resources import MeasurementsResource, Oltp, Scale, table_key
from oltp_lab.resources.shown import shown

_KEY = dg.AssetKey(["neighbours", "ip_operations"])


@dg.asset(
    key=_KEY,
    group_name="neighbours",
    kinds={"postgres", "python"},
    owners=["team:oltp_lab"],
    deps=[table_key(*table.split(".")) for table in TABLES],
    code_version=sql.content_hash(
        "neighbours/addresses",
        *(f"operations/infrastructure{part}.sql" for part in ("", "_addresses", "_sending")),
    ),
    description="A month and a storm of SMTP addresses in a copy of the OLTP: warm-up, assignment "
    "under conflict, reputation from bounces and complaints, failover, rotation, decommissioning.",
    check_specs=[
        dg.AssetCheckSpec(name, asset=_KEY, blocking=True, description=description)
        for name, description in CHECKS.items()
    ],
)
def ip_operations(
    context: dg.AssetExecutionContext,
    oltp: Oltp,
    measurements: MeasurementsResource,
    scale: Scale,
) -> dg.MaterializeResult:
    database = oltp.database()
    with shown():
        judged = run(database, Extent.of(scale.value()))
    this_run, store = measurements.run(context, database, scale.value()), measurements.store()
    store.append("ip_operations", [judged.figures], run=this_run)
    store.append("ip_outcomes", judged.outcomes, run=this_run)
    store.append("ip_bands", judged.bands, run=this_run)
    return dg.MaterializeResult(
        metadata={
            "outcomes": dg.MetadataValue.md(markdown.frame(pd.DataFrame(judged.outcomes))),
            "bands": dg.MetadataValue.md(markdown.frame(pd.DataFrame(judged.bands))),
            "shortage": judged.shortage or "there was none",
            **{name: judged.figures[name] for name in _SHOWN},
        },
        check_results=[_checked(judged, name) for name in CHECKS],
    )


_SHOWN = ("mails", "conflicts", "doomed", "replaced", "outage_longest_ms", "seconds")


def _checked(judged: Judged, name: str) -> dg.AssetCheckResult:
    told = judged.told(name)
    return dg.AssetCheckResult(
        check_name=name,
        passed=not told,
        description="; ".join(told) or CHECKS[name],
        metadata={"wrong": len(judged.wrong[name])},
    )


assets = [ip_operations]
