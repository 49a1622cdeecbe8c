"""What row level security costs: ratios to an explicit filter without it, operation by operation.

All variants of an operation run mixed in one pgbench run, the baseline twice (A against A), and are
compared in the same stretches of time. Beside the times stands what no clock is needed for: the
blocks a call reads, and its plan.
"""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd
import psycopg
from psycopg import sql as pg

from oltp_lab import sql
from oltp_lab.errors import LabError
from oltp_lab.load.evidence import Evidence, gather
from oltp_lab.measuring import scratch
from oltp_lab.measuring.loads import Outcome, measure
from oltp_lab.measuring.pgbench import Load, Script
from oltp_lab.measuring.statistics import FEWEST, compare, holm, noise, verdict
from oltp_lab.measuring.store import Measurements, Run
from oltp_lab.servers import Database

NAME = "rls_cost"
CALLS_A_BUCKET = 5
"""A median of fewer is no median."""
EXPLAINED = 25
"""Tenants, from the largest down, whose plans are looked at."""
NOISE = "A against A"
"""Stands in place of the verdict on the baseline's second name."""


@dataclass(frozen=True)
class Experiment:
    """What ``experiment.toml`` says; lengths are seconds for each operation."""

    question: str
    role: str
    operations: list[str]
    variants: list[str]
    baseline: str
    clones: list[str]
    guarded: list[str]
    tenants: int
    targets: int
    sessions: int
    seconds: float
    warmup: float
    bucket_ms: int

    @classmethod
    def read(cls, scale: str) -> "Experiment":
        """The experiment, as long as the scale wants it."""
        described = tomllib.loads(sql.read(f"load/{NAME}/experiment.toml"))
        lengths = described.pop("scales")[scale]
        return cls(**described, **lengths)

    @property
    def again(self) -> str:
        """The baseline's second name: A against A."""
        return f"{self.baseline}_again"

    def scripts(self, operation: str) -> list[Script]:
        """One script a variant, and the baseline's a second time."""
        files = {name: sql.path(f"load/{NAME}/{operation}/{name}.sql") for name in self.variants}
        files[self.again] = files[self.baseline]
        return [Script(variant, path) for variant, path in files.items()]

    def load(self, operation: str, variables: Mapping[str, int]) -> Load:
        """The run that mixes an operation's variants."""
        return Load(
            NAME,
            operation,
            self.scripts(operation),
            role=self.role,
            sessions=self.sessions,
            seconds=self.seconds,
            warmup=self.warmup,
            variables=variables,
        )


def execute(
    database: Database, experiment: Experiment, store: Measurements, run: Run
) -> list[dict[str, Any]]:
    """Run it, store ``experiments`` and ``experiment_variants``, and return the latter's rows.

    Raises LabError when a run breaks, or is too short here for a comparison.
    """
    rows: list[dict[str, Any]] = []
    with (
        scratch.exclusively(database, NAME, run),
        scratch.made(database, tenants=experiment.tenants, targets=experiment.targets) as maker,
    ):
        _clone(database, maker, experiment)
        variables = scratch.define_lookups(maker)
        for operation in experiment.operations:
            scratch.checkpoint(maker)
            outcome = measure(database, experiment.load(operation, variables), store, run)
            if outcome.failure:
                raise LabError(f"{NAME} broke: {outcome.failure}")
            plans = _plans(database, experiment, operation, variables)
            medians = _medians(store, run, experiment, operation)
            rows += _compared(experiment, operation, outcome, medians, plans)
    _adjust(rows, experiment.again)
    summary = {
        "experiment": NAME,
        "question": experiment.question,
        "baseline": experiment.baseline,
        "sessions": experiment.sessions,
        "seconds": experiment.seconds,
        "bucket_ms": experiment.bucket_ms,
        "noise": max(row["noise"] for row in rows),
        "complete": True,
    }
    store.append("experiments", [summary], run=run)
    store.append("experiment_variants", rows, run=run)
    return rows


def _clone(database: Database, maker: psycopg.Connection, experiment: Experiment) -> None:
    """Copy tables of campaigns, indexes and all, without row level security and with it."""
    queries = sql.queries(f"load/{NAME}/clone.sql")

    def run(connection: psycopg.Connection, step: str, table: str, clone: str) -> None:
        names = pg.Identifier(scratch.SCHEMA, clone), pg.Identifier("campaigns", table)
        statement = pg.SQL(queries[step]).format(
            clone=names[0],
            table=names[1],
            clone_text=pg.Literal(names[0].as_string()),
            table_text=pg.Literal(names[1].as_string()),
        )
        connection.execute(statement)

    copies = [(table, table) for table in experiment.clones]
    guarded = [(table, f"guarded_{table}") for table in experiment.guarded]
    with database.connect("lab_platform", autocommit=True) as platform:
        for copy in [*copies, *guarded]:
            run(maker, "create", *copy)
            run(platform, "fill", *copy)
            run(maker, "index", *copy)
            if copy in guarded:
                run(maker, "guard", *copy)
            run(maker, "settle", *copy)


def _plans(
    database: Database, experiment: Experiment, operation: str, variables: Mapping[str, int]
) -> dict[str, Evidence]:
    draws = [
        {"tenant": tenant, "target": 1 + tenant % variables["targets"], "status": 1 + tenant % 4}
        for tenant in range(1, 1 + min(variables["tenants"], EXPLAINED))
    ]
    return {
        script.operation: gather(database, experiment.role, script.path, draws)
        for script in experiment.scripts(operation)
    }


def _medians(store: Measurements, run: Run, experiment: Experiment, operation: str) -> pd.DataFrame:
    """Median latency (microseconds), a row a stretch of time, a column a variant."""
    medians = store.read(
        sql.queries("measuring/transactions.sql")["bucket_medians"],
        {
            "run_id": run.run_id,
            "workload": NAME,
            "arm": operation,
            "bucket_ms": experiment.bucket_ms,
            "fewest": CALLS_A_BUCKET,
            "operations": len(experiment.scripts(operation)),
        },
    ).pivot(index="bucket", columns="operation", values="median_us")
    if len(medians) < FEWEST:
        raise LabError(
            f"{NAME}: {experiment.seconds:g} s of {operation} gave {len(medians)} stretches of "
            f"{experiment.bucket_ms} ms with enough calls, {FEWEST} are needed: "
            "configure more seconds"
        )
    return medians


def _compared(
    experiment: Experiment,
    operation: str,
    outcome: Outcome,
    medians: pd.DataFrame,
    plans: Mapping[str, Evidence],
) -> list[dict[str, Any]]:
    """A row for each variant but the baseline itself."""
    measured = {row["operation"]: row for row in outcome.operations}
    baseline = medians[experiment.baseline]
    same = compare(medians[experiment.again], baseline)
    rows = []
    for variant in (*experiment.variants, experiment.again):
        if variant == experiment.baseline:
            continue
        effect = compare(medians[variant], baseline)
        rows.append(
            {
                "experiment": NAME,
                "variant": variant,
                "baseline": experiment.baseline,
                "operation": operation,
                **asdict(effect),
                "noise": math.expm1(noise(same)),
                "verdict": NOISE if variant == experiment.again else verdict(effect, same),
                "p50_ms": measured[variant]["p50_ms"],
                "baseline_p50_ms": measured[experiment.baseline]["p50_ms"],
                **asdict(plans[variant]),
                "baseline_blocks_per_call": plans[experiment.baseline].blocks_per_call,
            }
        )
    return rows


def _adjust(rows: list[dict[str, Any]], again: str) -> None:
    """Holm's correction over all that was compared, A against A left out."""
    compared = [row for row in rows if row["variant"] != again]
    for row, adjusted in zip(compared, holm([row["p_value"] for row in compared]), strict=True):
        row["p_value"] = adjusted
