"""What Dagster sees of the verification of domains by their DNS."""

from datetime import UTC, datetime

import dagster as dg
import pandas as pd
from pydantic import Field

from oltp_lab import settings, sql
from oltp_lab.measuring import markdown
from oltp_lab.neighbours.dns import run as verification
from oltp_lab.neighbours.dns import world
from oltp_lab.neighbours.dns.run import Verified
from oltp_lab.resources import MeasurementsResource, Oltp, Scale, table_key
from oltp_lab.resources.shown import shown

JOB = "dns_verification"
CHECKS = {
    "wrong_verdicts": "Each verdict is what the record was made to be.",
    "wrong_domains": "Each domain's status follows, and a contested name is its owner's.",
    "unverified_without_proof": "No domain lost its status because nobody answered.",
    "wrong_drift": "Drift is told where an answer differs from the one before, and only there.",
    "wrong_schedule": "What had no answer is asked again soon, and nothing else.",
}
_KEY = dg.AssetKey(["neighbours", "dns_verification"])


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
    check_specs=[
        dg.AssetCheckSpec(name, asset=_KEY, blocking=True, description=description)
        for name, description in CHECKS.items()
    ],
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
        check_results=[_checked(found, name) for name in CHECKS],
    )


def _checked(found: Verified, name: str) -> dg.AssetCheckResult:
    told = found.told(name)
    return dg.AssetCheckResult(
        check_name=name,
        passed=not told,
        description="; ".join(told) or f"{found.first.records:,} records of all kinds",
        metadata={"wrong": len(found.wrong[name])},
    )


@dg.schedule(
    job_name=JOB,
    cron_schedule="*/15 * * * *",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Verifies again while domains of the OLTP are due; the lab's zones are its own.",
)
def dns_verification_schedule(oltp: Oltp) -> dg.RunRequest | dg.SkipReason:
    due = sql.queries("neighbours/dns/verify.sql")["due"]
    with oltp.database().connect("lab_platform") as session:
        found = session.execute(due, {"at": datetime.now(UTC)}).fetchone()
    return dg.RunRequest() if found and found[0] else dg.SkipReason("no domain is due")


assets = [dns_verification]
schedules = [dns_verification_schedule]
