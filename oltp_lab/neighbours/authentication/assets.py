"""What Dagster sees of authentication."""

import dagster as dg
import pandas as pd
from pydantic import Field

from oltp_lab import sql
from oltp_lab.measuring import markdown
from oltp_lab.neighbours.authentication.run import Extent, Walked, run
from oltp_lab.neighbours.promises import judged, promised
from oltp_lab.resources import MeasurementsResource, Oltp, Scale
from oltp_lab.resources.shown import shown

CHECKS = {
    "refused": "Whoever may not is refused: every such step, for the reason that it must be.",
    "allowed": "Whoever may can, and sees what is theirs.",
    "unseen": "No secret is in a table, and no role of the application's reads what is kept of it.",
}


class AuthenticationConfig(dg.Config):
    """What the walk may be told."""

    cost: int | None = Field(
        default=None, description="bcrypt's cost, 4 to 16: 12 if the scale does not say otherwise."
    )


@dg.asset(
    name="authentication",
    key_prefix="neighbours",
    group_name="neighbours",
    kinds={"postgres", "python"},
    owners=["team:oltp_lab"],
    deps=["schema"],
    code_version=sql.content_hash(
        "neighbours/authentication",
        *(f"operations/tenancy{part}.sql" for part in ("", "_members", "_users", "_log_in")),
    ),
    description="Sign-up, log-in, invites, tenant switches, users of several tenants and "
    "revocation, step by step in real sessions; and what hashing and authorization cost.",
    check_specs=promised("authentication", CHECKS),
)
def authentication(
    context: dg.AssetExecutionContext,
    config: AuthenticationConfig,
    oltp: Oltp,
    measurements: MeasurementsResource,
    scale: Scale,
) -> dg.MaterializeResult:
    database = oltp.database()
    with shown():
        walked = run(database, Extent.read(scale.value()), cost=config.cost)
    this_run, store = measurements.run(context, database, scale.value()), measurements.store()
    store.append("authentication_steps", walked.step_rows(), run=this_run)
    store.append("authentication_log_ins", walked.log_ins, run=this_run)
    store.append("authentication_requests", walked.requests, run=this_run)
    shown_steps = [(s.part, s.step, s.expected, s.got) for s in walked.steps]
    return dg.MaterializeResult(
        metadata={
            "steps": dg.MetadataValue.md(
                markdown.table(("part", "step", "expected", "got"), shown_steps)
            ),
            "log_ins": dg.MetadataValue.md(markdown.frame(pd.DataFrame(walked.log_ins))),
            "requests": dg.MetadataValue.md(markdown.frame(pd.DataFrame(walked.requests))),
            "seconds": walked.seconds,
        },
        check_results=[_checked(walked, name) for name in CHECKS],
    )


def _checked(walked: Walked, name: str) -> dg.AssetCheckResult:
    wrong = walked.wrong(name)
    steps = sum(s.kind == name for s in walked.steps)
    return judged(name, wrong[:5], CHECKS[name], steps=steps, wrong=len(wrong))


assets = [authentication]
