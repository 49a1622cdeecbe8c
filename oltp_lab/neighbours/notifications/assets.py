"""What Dagster sees of notifications: a wave of them, with a storm, and what became of each."""

import dagster as dg
import pandas as pd

from oltp_lab import settings, sql
from oltp_lab.measuring import markdown
from oltp_lab.neighbours.notifications import wave
from oltp_lab.neighbours.notifications.wave import Extent, Judged
from oltp_lab.neighbours.promises import promised
from oltp_lab.resources import MeasurementsResource, Oltp, Scale, table_key
from oltp_lab.resources.shown import shown

_PROMISES = {
    "nothing_is_lost": ("lost", "Each event was told, or is a dead letter, or stands in a digest."),
    "nothing_is_doubled": ("doubled", "Nobody sees the same event in two mails."),
    "storms_are_bounded": ("paged", "Nobody gets more mails in a period than its burst."),
    "dead_letters_are_held": ("unheld", "Each mail that was given up can be requeued."),
}


@dg.asset(
    name="notifications",
    key_prefix="neighbours",
    group_name="neighbours",
    kinds={"postgres", "python"},
    owners=["team:oltp_lab"],
    deps=[
        table_key("integration", "notifications"),
        table_key("integration", "outbox"),
        table_key("campaigns", "campaigns"),
    ],
    code_version=sql.content_hash("queue", "neighbours/notifications", "operations"),
    description="A wave of campaigns' milestones from the outbox through relay and queue to "
    "mailboxes, in a clone of the OLTP; one tenant has a storm. And what the trigger costs.",
    check_specs=promised("notifications", {name: told for name, (_, told) in _PROMISES.items()}),
)
def notifications(
    context: dg.AssetExecutionContext,
    oltp: Oltp,
    measurements: MeasurementsResource,
    scale: Scale,
) -> dg.MaterializeResult:
    database, extent = oltp.database(), Extent.of(scale.value())
    with shown():
        judged = wave.run(settings.load(), database, extent)
    run = measurements.run(context, database, scale.value())
    measurements.store().append("notifications", [judged.row()], run=run)
    return dg.MaterializeResult(
        metadata={
            "wave": dg.MetadataValue.md(_page(judged)),
            "events": judged.figures["events"],
            "mails": judged.figures["accepted"],
            "trigger_ratio": judged.cost["trigger_ratio"],
            "seconds": judged.seconds,
        },
        check_results=[_checked(name, judged) for name in _PROMISES],
    )


def _page(judged: Judged) -> str:
    rows = pd.DataFrame(judged.row().items(), columns=["what", "figure"])
    return markdown.frame(rows)


def _checked(name: str, judged: Judged) -> dg.AssetCheckResult:
    """A wave of no events proves nothing."""
    figure = judged.row()[_PROMISES[name][0]]
    events = judged.figures["events"]
    return dg.AssetCheckResult(
        check_name=name,
        passed=figure == 0 and events > 0,
        description=f"{figure} of {events:,} events" if events else "there were no events",
        metadata={"faults": figure},
    )


assets = [notifications]
