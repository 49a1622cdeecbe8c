"""What Dagster sees of payments."""

from collections.abc import Iterator, Sequence

import dagster as dg
from pydantic import Field

from oltp_lab import settings, sql
from oltp_lab.measuring import markdown
from oltp_lab.neighbours.payments import life
from oltp_lab.neighbours.payments.life import Extent, Outcome
from oltp_lab.neighbours.promises import judged, promised
from oltp_lab.resources import MeasurementsResource, Oltp, Scale
from oltp_lab.resources.shown import shown

CHECKS = {
    "converged": "Each subscription, invoice, payment and refund is here as at the provider.",
    "balanced": "Paid, refunded and open sums are the provider's to the cent, as are previews.",
    "handled_once": "Every event that the provider told is in the inbox once, and processed.",
    "done_once": "What was asked for once was done once, though answers came too late.",
}


class PaymentsConfig(dg.Config):
    """What the payments may be told."""

    seed: int = Field(default=1, description="The same seed has the same faults happen.")


@dg.asset(
    name="payments",
    key_prefix="neighbours",
    group_name="neighbours",
    kinds={"postgres", "python"},
    owners=["team:oltp_lab"],
    deps=["schema"],
    code_version=sql.content_hash("neighbours/payments", "operations/billing_mirror.sql"),
    description="Lives of subscriptions on a test clock, through the official Stripe client, while "
    "cards are declined, answers come too late, and webhooks twice, late and out of order.",
    check_specs=promised("payments", CHECKS),
)
def payments(
    context: dg.AssetExecutionContext,
    config: PaymentsConfig,
    oltp: Oltp,
    measurements: MeasurementsResource,
    scale: Scale,
) -> dg.MaterializeResult:
    extent = Extent.read(scale.value())
    with shown():
        outcome = life.run(settings.load(), oltp.database(), extent, seed=config.seed)
    run = measurements.run(context, oltp.database(), scale.value())
    measurements.store().append("payments", outcome.rows(), run=run)
    counted = sorted((row["what"], row["times"]) for row in outcome.rows())
    return dg.MaterializeResult(
        metadata={
            "counted": dg.MetadataValue.md(
                markdown.table(("what", "times"), counted, right={"times"})
            ),
            "tenants": outcome.counts["tenants"],
            "events": outcome.counts["events kept"],
            "seconds": outcome.seconds,
        },
        check_results=list(_checked(outcome)),
    )


def _checked(outcome: Outcome) -> Iterator[dg.AssetCheckResult]:
    found: Sequence[Sequence[str]] = (
        outcome.converged(),
        outcome.unbalanced(),
        outcome.mishandled(),
        outcome.doubled(),
    )
    for name, faults in zip(CHECKS, found, strict=True):
        yield judged(name, faults[:5], CHECKS[name], faults=len(faults))


assets = [payments]
