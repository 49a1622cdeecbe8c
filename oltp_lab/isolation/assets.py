"""What Dagster sees of the isolation stage beside the attacks: one asset a proof."""

from typing import Any

import dagster as dg
import pandas as pd

from oltp_lab import catalog, sql
from oltp_lab.isolation import channels
from oltp_lab.measuring import markdown
from oltp_lab.resources import MeasurementsResource, Oltp, Scale, table_key

COMMON: dict[str, Any] = {
    "key_prefix": "isolation",
    "group_name": "isolation",
    "kinds": {"postgres"},
    "owners": ["team:oltp_lab"],
    "deps": [table_key(*table) for table in catalog.tables()],
}
_COVERT_CHANNELS = "covert_channels"


@dg.asset(
    name=_COVERT_CHANNELS,
    code_version=sql.content_hash(
        "isolation/channels", "isolation/channel_aims.sql", "isolation/channels.toml"
    ),
    description="What a tenant learns of another without reading its rows: answers, errors, plans, "
    "statistics, locks, what a pooled session keeps, and time. In bits a second.",
    **COMMON,
)
def covert_channels(
    context: dg.AssetExecutionContext,
    oltp: Oltp,
    measurements: MeasurementsResource,
    scale: Scale,
) -> dg.MaterializeResult:
    database = oltp.database()
    run = measurements.run(context, database, scale.value())
    measured = channels.measure(database, channels.Lengths.read(scale.value()))
    rows = channels.rows(measured)
    measurements.store().append(_COVERT_CHANNELS, rows, run=run)
    verdicts = [channel.verdict for channel in measured]
    columns = [
        "channel",
        "expected",
        "verdict",
        "trials",
        "bits_per_second",
        "most_bits_per_second",
    ]
    return dg.MaterializeResult(
        metadata={
            "channels": dg.MetadataValue.md(markdown.frame(pd.DataFrame(rows, columns=columns))),
            "open": verdicts.count(channels.OPEN),
            "closed": verdicts.count(channels.CLOSED),
            "not_proven": verdicts.count(channels.NOT_PROVEN),
        }
    )


@dg.asset_check(
    asset=dg.AssetKey(["isolation", _COVERT_CHANNELS]),
    blocking=True,
    description="No channel that its file declares closed carries information. A warning: one that "
    "is declared open and found closed, or one for which there were no rows to try.",
)
def closed_channels_stay_closed(measurements: MeasurementsResource) -> dg.AssetCheckResult:
    surprising = (
        measurements.store()
        .read(sql.queries("isolation/channel_results.sql")["surprising"])
        .to_dict("records")
    )
    leaks = [row for row in surprising if row["verdict"] == channels.OPEN]
    told = [
        f"{row['channel']} is {row['verdict']}, declared {row['expected']}"
        + (f", {row['bits_per_second']:,.0f} bit/s" if row in leaks else "")
        + (f" ({row['detail']})" if row["detail"] else "")
        for row in surprising
    ]
    return dg.AssetCheckResult(
        passed=not surprising,
        severity=dg.AssetCheckSeverity.ERROR if leaks else dg.AssetCheckSeverity.WARN,
        description="; ".join(told) or "every channel is as its file declares it",
        metadata={"leaks": len(leaks), "to_update": len(surprising) - len(leaks)},
    )


assets: list[Any] = [covert_channels]
checks: list[Any] = [closed_channels_stay_closed]
