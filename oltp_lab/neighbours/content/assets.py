"""What Dagster sees of the content database: its filling, and content over its life."""

import tomllib
from typing import Any

import dagster as dg
import pandas as pd

from oltp_lab import settings, sql
from oltp_lab.measuring import markdown
from oltp_lab.neighbours.content import comparison, fill, oracle, ordeal, reconciler
from oltp_lab.neighbours.content.ordeal import Extent
from oltp_lab.neighbours.promises import judged, promised
from oltp_lab.resources import MeasurementsResource, Oltp, Scale, table_key
from oltp_lab.resources.shown import shown

REFERENCES, SURVIVES = "no_dangling_no_stale_orphan", "survives_kills"
ISOLATED = "isolated_by_tenant"
_COMMON: dict[str, Any] = {
    "key_prefix": "neighbours",
    "group_name": "neighbours",
    "kinds": {"postgres"},
    "owners": ["team:oltp_lab"],
}


@dg.asset(
    name="content",
    deps=[table_key("campaigns", "template_versions"), table_key("campaigns", "contents")],
    code_version=sql.content_hash("content", "neighbours/content/fill.sql"),
    description="The content database: a body for each storage key of the OLTP, in its own server.",
    check_specs=promised(
        "content",
        {
            REFERENCES: "Every version's body is there and intact; what no version refers to has "
            "gone after the grace period.",
            ISOLATED: "A tenant sees its own content, and without one nobody any.",
        },
    ),
    **_COMMON,
)
def content(
    context: dg.AssetExecutionContext,
    oltp: Oltp,
    measurements: MeasurementsResource,
    scale: Scale,
) -> dg.MaterializeResult:
    with shown():
        tiers = fill.open_tiers(settings.load(), oltp.database())
        filled = fill.ensure(tiers)
        healed = reconciler.reconcile(tiers)
        faults = oracle.told(oracle.judge(tiers, grace=reconciler.GRACE))
        leaks = oracle.leaks(tiers)
    run = measurements.run(context, tiers.oltp, scale.value())
    sizes = {"objects": filled.objects, "bytes": filled.bytes, "tenants": filled.tenants}
    measurements.store().append("content", [sizes | {"seconds": filled.seconds}], run=run)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": filled.objects,
            "dagster/table_name": "content.objects",
            **sizes,
            "filled_anew": filled.anew,
            "healed": dict(healed),
        },
        check_results=[
            judged(REFERENCES, faults),
            judged(ISOLATED, leaks),
        ],
    )


@dg.asset(
    name="content_lifecycle",
    deps=[dg.AssetKey(["neighbours", "content"])],
    code_version=sql.content_hash("content", "neighbours/content"),
    description="Authors and reconcilers killed at every step, on databases of their own; and what "
    "it costs to have the body in the OLTP as well.",
    check_specs=promised(
        "content_lifecycle",
        {
            SURVIVES: "Nothing is dangling, an orphan beyond the grace period, lost, or left of a "
            "purged tenant, wherever processes were killed."
        },
    ),
    **_COMMON,
)
def content_lifecycle(
    context: dg.AssetExecutionContext,
    oltp: Oltp,
    measurements: MeasurementsResource,
    scale: Scale,
) -> dg.MaterializeResult:
    described = tomllib.loads(sql.read("neighbours/content/content.toml"))
    length = described["scales"][scale.value()]
    with shown(), ordeal.scene(settings.load()) as tiers:
        ledger = ordeal.run(tiers, Extent(kills=length["kills"], writers=described["writers"]))
        (tenant,) = ordeal.add_tenants(tiers, 1)
        rows = comparison.run(
            tiers, tenant, rounds=length["rounds"], saves=length["saves"], size=described["bodies"]
        )
    run = measurements.run(context, oltp.database(), scale.value())
    store, compared = measurements.store(), comparison.summary(rows)
    store.append("content_ordeal", ledger.rows(), run=run)
    store.append("content_comparison", compared, run=run)
    return dg.MaterializeResult(
        metadata={
            "killed": dg.MetadataValue.md(markdown.frame(pd.DataFrame(ledger.rows()))),
            "compared": dg.MetadataValue.md(markdown.frame(pd.DataFrame(compared))),
            "kills": ledger.kills,
            "seconds": ledger.seconds,
        },
        check_results=[judged(SURVIVES, ledger.failures(), ledger.headline)],
    )


assets = [content, content_lifecycle]
