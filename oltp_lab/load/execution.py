"""Running a workload: its slice, its arms, and what must hold afterwards."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from typing import Any

import psycopg

from oltp_lab.errors import LabError
from oltp_lab.load.steps import Steps
from oltp_lab.load.workload import Arm, Workload
from oltp_lab.measuring import scratch
from oltp_lab.measuring.loads import Outcome, leave_out, measure
from oltp_lab.measuring.pgbench import Load, check_room
from oltp_lab.measuring.store import Measurements, Run
from oltp_lab.servers import Database


def execute(
    database: Database,
    workload: Workload,
    store: Measurements,
    run: Run,
    then: Callable[[list[Outcome]], Mapping[str, Arm]] | None = None,
) -> list[Outcome]:
    """Run the arms one after the other, up to the first that breaks, and store what was measured.

    ``then`` gives further arms, knowing what became of the others. The exercise's come last.
    An arm that cannot run here is stored with the reason. Beside what ``measure`` stores there are
    ``load_figures`` and ``load_invariants``. Rows of the sample data stay as they are. Raises
    LabError when sessions do not fit, another load run does not make room, or a setup fails.
    """
    exercise = workload.exercise.arms if workload.exercise else {}
    for arm in [*workload.arms.values(), *exercise.values()]:
        if not arm.missing:
            check_room(database, arm.sessions, arm.connections)
    with scratch.exclusively(database, workload.name, run):
        outcomes = _at_its_sizes(database, workload, store, run, then)
        if workload.exercise and not any(outcome.failure for outcome in outcomes):
            outcomes += _at_its_sizes(database, workload.exercise, store, run)
    return outcomes


def _at_its_sizes(
    database: Database,
    workload: Workload,
    store: Measurements,
    run: Run,
    then: Callable[[list[Outcome]], Mapping[str, Arm]] | None = None,
) -> list[Outcome]:
    """The arms on one slice, and what must hold of it afterwards."""
    with (
        scratch.made(database, tenants=workload.tenants, targets=workload.targets) as maker,
        on_slice(database, workload, run, maker) as steps,
    ):
        variables = {**workload.sizes, **scratch.define_lookups(maker)}
        outcomes = list(_arms(workload, variables, maker, steps, store, run))
        if then and not any(outcome.failure for outcome in outcomes):
            more = replace(workload, arms=then(outcomes))
            outcomes += _arms(more, variables, maker, steps, store, run)
        # A crash empties the unlogged tables that invariants lean on.
        lost = scratch.is_lost(maker)
        judged = steps.unasked("not asked: the server died") if lost else steps.invariants()
        named = {"workload": workload.name, "arms": ", ".join(workload.arms)}
        store.append("load_invariants", [{**named, **row} for row in judged], run=run)
    return outcomes


def _arms(
    workload: Workload,
    variables: Mapping[str, int | float],
    maker: psycopg.Connection,
    steps: Steps,
    store: Measurements,
    run: Run,
) -> Iterator[Outcome]:
    """Run them up to the first that breaks."""
    for name, arm in workload.arms.items():
        load = workload.load(name, variables)
        if arm.missing:
            yield leave_out(load, arm.missing, store, run)
            continue
        if arm.before:
            steps.prepare(arm.before)
        scratch.checkpoint(maker)
        outcome = _measured(load, steps, store, run)
        yield outcome
        if outcome.failure:
            return


def _measured(load: Load, steps: Steps, store: Measurements, run: Run) -> Outcome:
    """Run an arm, and store what the workload's figures are after it, and rose by."""
    before = steps.figures()
    outcome = measure(steps.database, load, store, run)
    named = {"workload": load.workload, "arm": load.arm, "sessions": load.sessions}
    after = {} if outcome.failure else steps.figures()
    rows: list[dict[str, Any]] = [
        {**named, "query": query, "figure": figure, "value": value,
         "rise": value - before.get((query, figure), 0.0)}
        for (query, figure), value in after.items()
    ]  # fmt: skip
    store.append("load_figures", rows, run=run)
    return outcome


@contextmanager
def on_slice(
    database: Database, workload: Workload, run: Run, maker: psycopg.Connection
) -> Iterator[Steps]:
    """What the run has of its own to work on, as long as it lasts.

    What cannot be removed from a server that died, the next run removes.
    """
    own = {"run_id": run.run_id, "tenants": workload.tenants, "targets": workload.targets}
    steps = Steps(database, workload.folder, {**workload.sizes, **own})
    steps.tear_down()  # what a killed run has left
    try:
        steps.set_up()
        yield steps
    except BaseException:
        with suppress(LabError):  # what went wrong first is told
            steps.tear_down()
        raise
    with suppress(LabError) if scratch.is_lost(maker) else nullcontext():
        steps.tear_down()
