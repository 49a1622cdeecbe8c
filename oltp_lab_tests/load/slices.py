"""What the tests of workloads that make tenants of their own have in common."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
from psycopg import sql as pg

from oltp_lab import catalog, sql
from oltp_lab.load import execution
from oltp_lab.load.steps import Steps
from oltp_lab.load.workload import Arm, Workload
from oltp_lab.measuring import scratch
from oltp_lab.measuring.store import Measurements, Run
from oltp_lab.servers import Database

_AROUND = {"setup", "before", "figures", "invariants", "teardown"}
_SUM = "select count(*), md5(string_agg(r::text, chr(10) order by r.ctid)) from {} as r"


def rows(database: Database) -> dict[str, object]:
    """Of each table a sum over its rows as they lie on disk, but for tombstones."""
    with database.connect("lab_platform") as connection:
        return {
            f"{schema}.{table}": connection.execute(
                pg.SQL(_SUM).format(pg.Identifier(schema, table))
            ).fetchone()
            for schema, table in catalog.tables()
            if table != "tombstones"
        }


def run_evenly(
    database: Database, workload: Workload, store: Measurements, run: Run
) -> dict[str, int]:
    """Run the workload, each operation as often as the others; returns the calls of each.

    Nothing fails, every invariant holds, and all rows are afterwards what they were, though a
    killed run has left its slice.
    """
    even = {name: replace(operation, weight=1) for name, operation in workload.operations.items()}
    before = rows(database)
    with slice_of(database, workload):
        pass
    (outcome,) = execution.execute(
        database, replace(workload, operations=even, arms={"direct_6": Arm(6)}), store, run
    )
    assert outcome.failure is None, outcome.failure
    judged = store.read("select invariant, violations, first from load_invariants")
    assert len(judged) == len(sql.queries(f"{workload.folder}/invariants.sql"))
    violated = judged.query("violations != 0").to_dict("records")
    assert violated == [], violated
    failures = {row["operation"]: row["failures"] for row in outcome.operations}
    assert failures == dict.fromkeys(even, 0), failures
    after = rows(database)
    assert after == before, {table for table in after if after[table] != before[table]}
    return {row["operation"]: row["calls"] for row in outcome.operations}


def scripts(workload: Workload) -> set[str]:
    """The files of its folder that are operations."""
    return {Path(file).stem for file in sql.files(workload.folder)} - _AROUND


@contextmanager
def slice_of(database: Database, workload: Workload) -> Iterator[psycopg.Connection]:
    """The slice, with a little of what a run does to it; a session of the administrator."""
    sizes = {**workload.sizes, "run_id": "run-1", "tenants": 1, "targets": 1}
    steps = Steps(database, workload.folder, sizes)
    with scratch.made(database, tenants=1, targets=1):
        steps.set_up()
        with database.connect("lab_platform") as platform:
            platform.execute(sql.queries(_breakages(workload))["lively"])
        with database.connect() as connection:
            yield connection
            connection.rollback()


def unseen(connection: psycopg.Connection, workload: Workload) -> list[str]:
    """Breakages that the invariant of their name does not see, and invariants without one."""
    invariants = sql.queries(f"{workload.folder}/invariants.sql")
    breakages = dict(sql.queries(_breakages(workload)))
    del breakages["lively"]
    missed = [name for name in invariants if not any(b.startswith(name) for b in breakages)]
    for name, breakage in breakages.items():
        (invariant,) = (each for each in invariants if name.startswith(each))
        with connection.transaction(force_rollback=True):
            connection.execute(breakage)
            connection.execute("set local role lab_platform")
            if not connection.execute(invariants[invariant]).fetchall():
                missed.append(name)
    return missed


def broken(connection: psycopg.Connection, workload: Workload) -> list[str]:
    """Invariants that do not hold."""
    invariants = sql.queries(f"{workload.folder}/invariants.sql")
    with connection.transaction(force_rollback=True):
        connection.execute("set local role lab_platform")
        return [name for name, query in invariants.items() if connection.execute(query).fetchall()]


def _breakages(workload: Workload) -> str:
    return str(Path(__file__).parent / f"breakages_{workload.name}.sql")
