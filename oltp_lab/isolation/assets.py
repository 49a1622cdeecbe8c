"""What Dagster sees of the isolation stage beside the attacks: one asset a proof."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import dagster as dg
import pandas as pd
from pydantic import Field

from oltp_lab import catalog, settings, sql
from oltp_lab.isolation import channels
from oltp_lab.isolation import index_safety as indexes
from oltp_lab.isolation import mutants as mutation
from oltp_lab.isolation import oracle as metamorphic
from oltp_lab.isolation import under_load as load
from oltp_lab.isolation.channels import CLOSED, NOT_PROVEN, OPEN
from oltp_lab.isolation.resource import IsolationSubject
from oltp_lab.measuring import markdown
from oltp_lab.resources import MeasurementsResource, Oltp, Scale, table_key
from oltp_lab.resources.shown import shown

COMMON: dict[str, Any] = {
    "key_prefix": "isolation",
    "group_name": "isolation",
    "kinds": {"postgres"},
    "owners": ["team:oltp_lab"],
    "deps": [table_key(*table) for table in catalog.tables()],
}


def skipped(check: str) -> dg.MaterializeResult:
    """What becomes of a proof that is about the lab's own database alone: it is not passed."""
    told = "not tried: the run config names another database, and this is proven on the lab's alone"
    return dg.MaterializeResult(
        metadata={"skipped": told},
        check_results=[
            dg.AssetCheckResult(
                check_name=check,
                passed=False,
                severity=dg.AssetCheckSeverity.WARN,
                description=told,
            )
        ],
    )


class MutantsConfig(dg.Config):
    """Which mutants to try."""

    mutants: list[str] = Field(
        default=[], description="Names of files in sql/isolation/mutants; empty: all."
    )


@dg.asset(
    name="mutants",
    code_version=sql.content_hash("isolation"),
    description="Breaks clones of the database on a throw-away server, each in one way, and "
    "attacks them: an attack must get through, or the catalogue lacks one.",
    check_specs=[
        dg.AssetCheckSpec(
            "every_mutant_is_caught",
            asset=["isolation", "mutants"],
            blocking=True,
            description="Some attack gets through on every mutant, and none without one.",
        )
    ],
    **COMMON,
)
def mutants(
    context: dg.AssetExecutionContext,
    config: MutantsConfig,
    oltp: Oltp,
    subject: IsolationSubject,
    measurements: MeasurementsResource,
    scale: Scale,
) -> dg.MaterializeResult:
    if subject.url:
        return skipped("every_mutant_is_caught")
    holder = f"mutants (run {context.run.run_id})"
    tried = mutation.run(settings.load(), mutation.catalogue(config.mutants), holder)
    rows = [trial.row for trial in tried]
    run = measurements.run(context, oltp.database(), scale.value())
    measurements.store().append("isolation_mutants", rows, run=run)
    nothing, *broken = rows
    survivors = [row["mutant"] for row in broken if not row["caught"]]
    told = [f"{row['mutant']} survived" for row in broken if not row["caught"]]
    if nothing["caught"]:
        told.append(f"an attack gets through without a mutant: {nothing['detail']}")
    shown = ("mutant", "table_name", "attack", "way", "role", "detail", "description")
    return dg.MaterializeResult(
        metadata={
            "mutants": len(broken),
            "caught": len(broken) - len(survivors),
            "score": (len(broken) - len(survivors)) / len(broken),
            "trials": dg.MetadataValue.md(
                markdown.table(shown, ([row[name] or "-" for name in shown] for row in broken))
            ),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="every_mutant_is_caught",
                passed=not told,
                description="; ".join(told) or f"{len(broken)} mutants, all caught",
                metadata={"survivors": len(survivors)},
            )
        ],
    )


_UNDER_LOAD = "isolation/under_load/measured.sql"
_NO_LEAK = "no_leak_under_load"


class UnderLoadConfig(dg.Config):
    """What isolation under load may be told; what is left out comes from the scale."""

    clients: int | None = Field(default=None, ge=1, le=500, description="At once, each arm.")
    sessions: int | None = Field(default=None, ge=1, le=500, description="Of each pool.")
    seconds: float | None = Field(default=None, ge=0.5, le=3600, description="Each arm.")

    def given(self) -> dict[str, Any]:
        """What takes the place of the plan's own."""
        return {name: value for name, value in dict(self).items() if value is not None}


@dg.asset(
    name="under_load",
    code_version=sql.content_hash("measuring/scratch.sql", "isolation/under_load"),
    description="Users of 100 tenants at once, directly and through pools, while statements fail, "
    "are cancelled and sessions end. Every statement asserts whose rows it saw.",
    check_specs=[
        dg.AssetCheckSpec(
            _NO_LEAK,
            asset=["isolation", "under_load"],
            blocking=True,
            description="No statement saw another tenant's rows or context, while the controls of "
            "each way in, which set the tenant for the session, all leaked.",
        )
    ],
    **COMMON,
)
def under_load(
    context: dg.AssetExecutionContext,
    config: UnderLoadConfig,
    oltp: Oltp,
    subject: IsolationSubject,
    measurements: MeasurementsResource,
    scale: Scale,
) -> dg.MaterializeResult:
    if subject.url:
        return skipped(_NO_LEAK)
    database, store = oltp.database(), measurements.store()
    run = measurements.run(context, database, scale.value())
    plan = replace(load.Plan.read(scale.value()), **config.given())
    rows = load.execute(database, plan, store, run)
    for row in rows:
        context.log.info("%s", load.told(row))
    queries, asked = sql.queries(_UNDER_LOAD), {"run_id": run.run_id}
    broken = store.read(queries["broken"], asked).to_dict("records")
    told = "; ".join(f"{row['arm']}: {row['problem']}" for row in broken)
    figures = {name: sum(row[name] for row in rows) for name in ("assertions", "leaks")}
    arms = dg.MetadataValue.md(markdown.frame(store.read(queries["arms"], asked)))
    return dg.MaterializeResult(
        metadata={"arms": arms, **figures},
        check_results=[
            dg.AssetCheckResult(
                check_name=_NO_LEAK,
                passed=figures["assertions"] > 0 and not broken,
                description=told or "; ".join(map(load.told, rows)),
                metadata=figures,
            )
        ],
    )


@dg.asset(
    name="index_safety",
    code_version=sql.content_hash("isolation/index_safety", "isolation/index_safety.sql"),
    description="Every statement of the application's operations and of the load scripts, planned "
    "under row level security and with an explicit filter alone: which indexes each can use.",
    check_specs=[
        dg.AssetCheckSpec(
            "indexes_survive_rls",
            asset=["isolation", "index_safety"],
            blocking=True,
            description="What the platform looks up in an index, the application looks up there "
            "too: no operator that is not leakproof keeps it from doing so.",
        )
    ],
    **COMMON,
)
def index_safety(
    context: dg.AssetExecutionContext,
    oltp: Oltp,
    subject: IsolationSubject,
    measurements: MeasurementsResource,
    scale: Scale,
) -> dg.MaterializeResult:
    if subject.url:
        return skipped("indexes_survive_rls")
    database = oltp.database()
    with shown():
        compared, uncompared = indexes.run(database)
    run = measurements.run(context, database, scale.value())
    measurements.store().append("index_safety", [vars(one) for one in compared], run=run)
    lost = [one for one in compared if not one.safe]
    told = "; ".join(map(str, (*lost, *uncompared)))
    verdict = dg.AssetCheckResult(
        check_name="indexes_survive_rls",
        passed=not told,
        severity=dg.AssetCheckSeverity.ERROR if lost else dg.AssetCheckSeverity.WARN,
        description=told or f"{len(compared)} uses of an index, none lost",
    )
    figures = {"compared": len(compared), "lost": len(lost), "uncompared": len(uncompared)}
    return dg.MaterializeResult(metadata=figures, check_results=[verdict])


_COVERT_CHANNELS = "covert_channels"
_CHANNELS_STAY = "closed_channels_stay_closed"


@dg.asset(
    name=_COVERT_CHANNELS,
    code_version=sql.content_hash(
        "isolation/channels", "isolation/channel_aims.sql", "isolation/channels.toml"
    ),
    description="What a tenant learns of another without reading its rows: answers, errors, plans, "
    "statistics, locks, what a pooled session keeps, and time. In bits a second.",
    check_specs=[
        dg.AssetCheckSpec(
            _CHANNELS_STAY,
            asset=["isolation", _COVERT_CHANNELS],
            blocking=True,
            description="No channel that its file declares closed carries information. A warning: "
            "one declared open and found closed, or one for which there were no rows to try.",
        )
    ],
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


class OracleConfig(dg.Config):
    """What the oracle may be told; what is left out comes from the scale."""

    seed: int = Field(default=1, description="The same seed asks the same rows the same queries.")
    queries: int | None = Field(default=None, ge=1, le=1_000_000, description="How many to ask.")

    def extent(self, scale: str) -> metamorphic.Extent:
        """The scale's, with what was told in its place."""
        extent = metamorphic.Extent.read(scale)
        return replace(extent, queries=self.queries or extent.queries)


@dg.asset(
    name="oracle",
    code_version=sql.content_hash("isolation/oracle"),
    description="Generated queries, each asked as the application in a tenant's context and as the "
    "platform with a filter on every table: both must see the same rows.",
    check_specs=[
        dg.AssetCheckSpec(
            "rls_equals_filter",
            asset=["isolation", "oracle"],
            blocking=True,
            description="Row level security leaves of every query what explicit filters leave.",
        )
    ],
    **COMMON,
)
def oracle(
    context: dg.AssetExecutionContext,
    config: OracleConfig,
    oltp: Oltp,
    subject: IsolationSubject,
    measurements: MeasurementsResource,
    scale: Scale,
) -> dg.MaterializeResult:
    tested, extent = subject.value(oltp), config.extent(scale.value())
    verdict = metamorphic.run(tested, extent, config.seed)
    rows = [{"subject": tested.name, **row} for row in verdict.rows()]
    run = measurements.run(context, oltp.database(), scale.value())
    measurements.store().append("oracle_queries", rows, run=run)
    total = verdict.total
    tallies = pd.DataFrame(rows).drop(columns=["subject", "seed", "seconds", "failure"])
    return dg.MaterializeResult(
        metadata={
            "tallies": dg.MetadataValue.md(markdown.frame(tallies)),
            "queries": total.queries,
            "queries_per_second": total.queries / verdict.seconds,
            "non_empty": total.non_empty / total.queries,
            "differing_without_a_filter": total.differing / max(total.unfiltered, 1),
            "dropped": total.dropped,
        },
        check_results=[_judged(verdict)],
    )


def _judged(verdict: metamorphic.Verdict) -> dg.AssetCheckResult:
    """A difference is an error; where equal answers prove little, that is a warning."""
    failure, doubts = verdict.failure, verdict.doubts()
    severity = dg.AssetCheckSeverity.ERROR if failure else dg.AssetCheckSeverity.WARN
    told = str(failure) if failure else "; ".join(["not proven", *doubts]) if doubts else None
    metadata = vars(failure) if failure else {}
    return dg.AssetCheckResult(
        check_name="rls_equals_filter",
        passed=not failure and not doubts,
        severity=severity,
        description=told or f"{verdict.total.queries} queries saw the same rows either way",
        metadata={name: str(value) for name, value in metadata.items()},
    )


assets: list[Any] = [mutants, under_load, index_safety, covert_channels, oracle]
checks: list[Any] = []
