"""What Dagster sees of the verification of domains by their DNS."""

from datetime import UTC, datetime

import dagster as dg
import pandas as pd
from pydantic import Field

from oltp_lab import catalog, settings, sql
from oltp_lab.measuring import markdown
from oltp_lab.neighbours.dns import recheck, world
from oltp_lab.neighbours.dns import run as verification
from oltp_lab.neighbours.promises import judged, promised
from oltp_lab.resources import MeasurementsResource, Oltp, Scale, table_key
from oltp_lab.resources.shown import shown

RECHECK = "dns_recheck"
"""The asset that changes the lab's own rows, and its job."""
CHECKS = {
    "wrong_verdicts": "Each verdict is what the record was made to be.",
    "wrong_domains": "Each domain's status follows, and a contested name is its owner's.",
    "unverified_without_proof": "No domain lost its status because nobody answered.",
    "wrong_drift": "Drift is told where an answer differs from the one before, and only there.",
    "wrong_schedule": "What had no answer is asked again soon, and nothing else.",
}
_RECHECK_KEY = dg.AssetKey(["neighbours", RECHECK])


class DnsVerificationConfig(dg.Config):
    """What a verification may be told."""

    seed: int = Field(default=1, description="The same seed makes the same zones.")


@dg.asset(
    name="dns_verification",
    key_prefix="neighbours",
    group_name="neighbours",
    kinds={"dns", "postgres"},
    owners=["team:oltp_lab"],
    deps=[table_key(*table.split(".")) for table in world.TABLES],
    code_version=sql.content_hash("neighbours/dns"),
    description="Every domain's six records are looked up on a DNS server of the lab's own, some "
    "of them wrong in a known way and some changing meanwhile, and noted in a copy of the OLTP.",
    check_specs=promised("dns_verification", CHECKS),
)
def dns_verification(
    context: dg.AssetExecutionContext,
    config: DnsVerificationConfig,
    oltp: Oltp,
    measurements: MeasurementsResource,
    scale: Scale,
) -> dg.MaterializeResult:
    database = oltp.database()
    with shown():
        found = verification.run(settings.load(), database, seed=config.seed)
    run = measurements.run(context, database, scale.value())
    store = measurements.store()
    store.append("dns_rounds", found.round_rows(), run=run)
    store.append("dns_cases", found.cases, run=run)
    rounds = pd.DataFrame(found.round_rows())
    return dg.MaterializeResult(
        metadata={
            "rounds": dg.MetadataValue.md(markdown.frame(rounds)),
            "cases": dg.MetadataValue.md(markdown.frame(pd.DataFrame(found.cases))),
            "domains": found.first.domains,
            "records": found.first.records,
            "lookups_per_s": found.first.lookups / found.first.seconds,
            "longest_transaction_s": max(t.longest_transaction_s for t in found.rounds.values()),
            "seconds": found.seconds,
        },
        check_results=[
            judged(
                name,
                found.told(name),
                f"{found.first.records:,} records of all kinds",
                wrong=len(found.wrong[name]),
            )
            for name in CHECKS
        ],
    )


@dg.asset(
    name=RECHECK,
    key_prefix="neighbours",
    group_name="neighbours",
    kinds={"dns", "postgres"},
    owners=["team:oltp_lab"],
    deps=[table_key(*table.split(".")) for table in world.TABLES],
    code_version=sql.content_hash("neighbours/dns/verify.sql"),
    description="Domains of the lab's OLTP whose look-up is due, and no others, are looked up and "
    "noted there; each then has its next date. The lab's zones have what was last found.",
    check_specs=[
        dg.AssetCheckSpec(
            "still_due", asset=_RECHECK_KEY, description="What was due is not due any more."
        )
    ],
)
def dns_recheck(oltp: Oltp) -> dg.MaterializeResult:
    database, at = oltp.database(), datetime.now(UTC)
    with shown():
        tally = recheck.recheck(settings.load(), database, at)
    left = recheck.is_due(database, at)
    return dg.MaterializeResult(
        metadata={
            "domains": tally.domains,
            "records": tally.records,
            "unanswered": tally.unanswered,
            "statuses": dg.MetadataValue.json(tally.statuses),
            "seconds": tally.seconds,
        },
        check_results=[dg.AssetCheckResult(check_name="still_due", passed=not left)],
    )


@dg.schedule(
    job_name=RECHECK,
    cron_schedule="*/5 * * * *",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Looks up the domains of the lab's OLTP that are due, when there are any.",
)
def dns_recheck_schedule(oltp: Oltp) -> dg.RunRequest | dg.SkipReason:
    database = oltp.database()
    with database.connect() as administrator:
        if not catalog.is_built(administrator):
            return dg.SkipReason("there is no schema yet: run the job `build` once")
    if not recheck.is_due(database, datetime.now(UTC)):
        return dg.SkipReason("no domain is due")
    return dg.RunRequest()


assets = [dns_verification, dns_recheck]
schedules = [dns_recheck_schedule]
