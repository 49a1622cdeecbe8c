"""What Dagster sees of the SMTP addresses' operations."""

import dagster as dg
import pandas as pd

from oltp_lab import sql
from oltp_lab.measuring import markdown
from oltp_lab.neighbours.addresses.run import CHECKS, run
from oltp_lab.neighbours.addresses.trial import TABLES, Extent
from oltp_lab.neighbours.promises import judged, promised
from oltp_lab.resources import MeasurementsResource, Oltp, Scale, table_key
from oltp_lab.resources.shown import shown

_SHOWN = ("mails", "conflicts", "doomed", "replaced", "outage_longest_ms", "seconds")


@dg.asset(
    name="ip_operations",
    key_prefix="neighbours",
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
    check_specs=promised("ip_operations", CHECKS),
)
def ip_operations(
    context: dg.AssetExecutionContext,
    oltp: Oltp,
    measurements: MeasurementsResource,
    scale: Scale,
) -> dg.MaterializeResult:
    database = oltp.database()
    with shown():
        found = run(database, Extent.of(scale.value()))
    this_run, store = measurements.run(context, database, scale.value()), measurements.store()
    store.append("ip_operations", [found.figures], run=this_run)
    store.append("ip_outcomes", found.outcomes, run=this_run)
    store.append("ip_bands", found.bands, run=this_run)
    return dg.MaterializeResult(
        metadata={
            "outcomes": dg.MetadataValue.md(markdown.frame(pd.DataFrame(found.outcomes))),
            "bands": dg.MetadataValue.md(markdown.frame(pd.DataFrame(found.bands))),
            "shortage": found.shortage or "there was none",
            **{name: found.figures[name] for name in _SHOWN},
        },
        check_results=[
            judged(name, found.told(name), promise, wrong=len(found.wrong[name]))
            for name, promise in CHECKS.items()
        ],
    )


assets = [ip_operations]
