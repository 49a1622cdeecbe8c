"""``make sweep``: throughput and latency over sessions, pools and the rate that is offered.

``python -m oltp_lab.load.sweep [WORKLOAD ...]`` runs a workload's own arms and those of its
``[sweep]``, then open loops at shares of the peak, latencies counted from when each transaction was
due. All is stored as any load run's, under one run id. It ends with 1 when an arm broke.
"""

import sys
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import click
import pandas as pd

from oltp_lab import catalog, servers, settings, sql
from oltp_lab.errors import LabError
from oltp_lab.load import execution
from oltp_lab.load.workload import Arm, Workload, discovered
from oltp_lab.measuring import markdown
from oltp_lab.measuring.loads import Outcome
from oltp_lab.measuring.store import Measurements, Run
from oltp_lab.servers import Database

SHARES = (30, 50, 70, 90)
"""Percent of the peak that is offered: the fuller a server, the longer its queues."""


def execute(
    database: Database,
    workload: Workload,
    store: Measurements,
    run: Run,
    say: Callable[[str], None],
) -> bool:
    """Sweep a workload and say what was found, as a table; False when an arm broke.

    Raises LabError as ``execution.execute`` does.
    """
    closed = replace(workload, arms={**workload.arms, **workload.sweep}, exercise=None)
    each = workload.seconds + workload.warmup
    say(f"{workload.name}: {len(closed.arms)} + {len(SHARES)} arms of {each:g} s")
    outcomes = execution.execute(database, closed, store, run, partial(offers, closed))
    asked = {
        "run_id": run.run_id, "workload": workload.name, "objective_ms": workload.objective_ms,
    }  # fmt: skip
    found = store.read(sql.queries("load/sweep.sql")["arms"], asked)
    say(f"{markdown.frame(found)}\n{best(found, workload.objective_ms)}\n")
    return not any(outcome.failure for outcome in outcomes)


def offers(workload: Workload, outcomes: Sequence[Outcome]) -> dict[str, Arm]:
    """Open arms at shares of the highest throughput of a direct closed arm, with its sessions."""
    closed = {
        outcome.run["tps"]: workload.arms[outcome.arm]
        for outcome in outcomes
        if outcome.run["complete"] and workload.arms[outcome.arm].closed
    }
    if not closed:
        return {}
    peak = max(closed)
    return {
        f"open_{share}": replace(closed[peak], rate=round(peak * share / 100, 1))
        for share in SHARES
    }


def best(found: pd.DataFrame, objective_ms: float) -> str:
    """The highest rate that was offered and met the objective, in a sentence."""
    offered = found.dropna(subset=["offered_tps", "p95_ms"]).query("through == 'direct'")
    met = [row for row in offered.to_dict("records") if row["meets"]]
    if not met:
        return f"No rate that was offered had a p95 of {objective_ms:g} ms or less."
    top = max(met, key=lambda row: row["offered_tps"])
    return (
        f"The highest rate with a p95 of {objective_ms:g} ms or less: {top['offered_tps']:,.0f}/s "
        f"({top['arm']}, p95 {top['p95_ms']:.1f} ms)."
    )


def swept() -> list[str]:
    """Workloads that have a sweep: those whose arms do not go on from each other."""
    scale = settings.SCALES[0]
    return [name for name in discovered() if Workload.read(name, scale).sweep]


@click.command()
@click.argument("names", nargs=-1, metavar="[WORKLOAD]...")
@click.option("--seconds", type=click.FloatRange(0.5, 3600), help="Measured, each arm.")
def main(names: tuple[str, ...], seconds: float | None) -> None:
    """Sweep workloads (all that have a sweep) over sessions, pools and offered rates."""
    if unknown := sorted(set(names) - set(swept())):
        raise LabError(f"{unknown[0]} has no sweep: name some of {', '.join(swept())}")
    current = settings.load()
    database = servers.oltp(current)
    with database.connect() as connection:
        if not catalog.is_built(connection):
            raise LabError("there is no sample data to ask for: run the job `build` first")
    run = Run.of(database, str(uuid.uuid4()), current.scale)
    store = Measurements(current.measurements)
    chosen = [Workload.read(name, current.scale).told(seconds=seconds) for name in names or swept()]
    whole = [execute(database, workload, store, run, click.echo) for workload in chosen]
    sys.exit(not all(whole))


if __name__ == "__main__":
    main()
