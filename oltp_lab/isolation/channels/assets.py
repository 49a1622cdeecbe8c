"""What Dagster sees of the covert channels."""

from collections.abc import Iterable
from typing import Any

import dagster as dg
import pandas as pd

from oltp_lab import sql
from oltp_lab.isolation.channels import run as channels
from oltp_lab.isolation.channels.run import CLOSED, NOT_PROVEN, OPEN
from oltp_lab.isolation.proofs import COMMON, promise, skipped
from oltp_lab.isolation.resource import IsolationSubject
from oltp_lab.measuring import markdown
from oltp_lab.resources import MeasurementsResource, Oltp, Scale

_COVERT_CHANNELS = "covert_channels"
_CHANNELS_STAY = "closed_channels_stay_closed"


@dg.asset(
    name=_COVERT_CHANNELS,
    code_version=sql.content_hash(
        "isolation/channels", "isolation/channel_aims.sql", "isolation/channels.toml"
    ),
    description="What a tenant learns of another without reading its rows: answers, errors, plans, "
    "statistics, locks, what a pooled session keeps, and time. In bits a second.",
    check_specs=promise(
        _COVERT_CHANNELS,
        _CHANNELS_STAY,
        "No channel that its file declares closed carries information. A warning: "
        "one declared open and found closed, or one for which there were no rows to try.",
    ),
    **COMMON,
)
def covert_channels(
    context: dg.AssetExecutionContext,
    oltp: Oltp,
    subject: IsolationSubject,
    measurements: MeasurementsResource,
    scale: Scale,
) -> dg.MaterializeResult:
    if subject.url:
        return skipped(_CHANNELS_STAY)
    run = measurements.run(context, oltp.database(), scale.value())
    measured = channels.measure(oltp.database(), channels.Lengths.read(scale.value()))
    rows = channels.rows(measured)
    measurements.store().append(_COVERT_CHANNELS, rows, run=run)
    shown = ["channel", "expected", "verdict", "trials", "bits_per_second", "most_bits_per_second"]
    verdicts = [channel.verdict for channel in measured]
    return dg.MaterializeResult(
        metadata={
            "channels": dg.MetadataValue.md(markdown.frame(pd.DataFrame(rows, columns=shown))),
            "open": verdicts.count(OPEN),
            "closed": verdicts.count(CLOSED),
            "not_proven": verdicts.count(NOT_PROVEN),
        },
        check_results=[closed_channels_stay_closed(measured)],
    )


def closed_channels_stay_closed(measured: Iterable[channels.Measured]) -> dg.AssetCheckResult:
    """The verdict on all: an error for what leaks, a warning for what is otherwise surprising."""
    surprising = [channel for channel in measured if channel.verdict != channel.expected]
    leaks = [channel for channel in surprising if channel.verdict == OPEN]
    told = [
        f"{channel.channel} is {channel.verdict}, declared {channel.expected}"
        + (f", {channel.bits_per_second:,.0f} bit/s" if channel.bits_per_second else "")
        + (f" ({channel.detail})" if channel.detail else "")
        for channel in surprising
    ]
    return dg.AssetCheckResult(
        check_name=_CHANNELS_STAY,
        passed=not surprising,
        severity=dg.AssetCheckSeverity.ERROR if leaks else dg.AssetCheckSeverity.WARN,
        description="; ".join(told) or "every channel is as its file declares it",
        metadata={"leaks": len(leaks), "to_update": len(surprising) - len(leaks)},
    )


assets: list[Any] = [covert_channels]
