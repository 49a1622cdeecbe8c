"""Having the server print the plans of all that the application executes, as one role or another.

What is executed are the operations, by the calls in ``sql/isolation/index_safety``, and the load
scripts, which are only explained. Everything is rolled back.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import PurePath
from typing import LiteralString, cast
from uuid import UUID

import psycopg
from psycopg import sql as pg

from oltp_lab import sql
from oltp_lab.errors import LabError
from oltp_lab.isolation.indexes import plan_tree
from oltp_lab.isolation.indexes.plan_tree import Scan

APPLICATION, PLATFORM = "lab_app", "lab_platform"
QUERIES = "isolation/index_safety.sql"
CALLS = "isolation/index_safety"
_SCRATCH = "measuring/scratch.sql"
_SIZES = {"tenants": 10, "targets": 5}
_DRAW = {"tenant": 1, "target": 1, "status": 1}
_LOOKUPS = {"tenant", "campaign", "step"}
_SAME_WITH_FILTER = {"rls_alone": "rls_and_filter"}
_UNGUARDED = "filter_alone"  # reads copies of the tables that have no policies

_PIPELINE = re.compile(r"^\\startpipeline\n(.*);\n\\endpipeline", re.M | re.S)
_MADE = re.compile(r"^create (?:table|function) scratch_load\.(\w+)", re.M)
_USED = re.compile(r"scratch_load\.(\w+)")
_VARIABLE = re.compile(r"(?<!:):([a-z_]+)")

Plans = Mapping[str, Sequence[Scan]]
"""Scans by where their statement is: the server's CONTEXT of it, or its number in a script."""


def calls() -> dict[str, LiteralString]:
    """What calls the operations, by ``domain/name``."""
    return {
        f"{PurePath(file).stem}/{name}": text
        for file in sql.files(CALLS)
        for name, text in sql.queries(file).items()
    }


def scripts() -> dict[str, tuple[list[str], list[str]]]:
    """The statements of the load scripts under row level security, by file.

    Those of the application, and those of the platform, which always have a filter. Scripts that
    draw anything else than tenants and their rows need a workload's own setup, and are left out:
    the operations that they call are not.
    """
    found = {}
    for path in sorted(sql.path("load").rglob("*.sql")):
        if path.stem != _UNGUARDED and _leans_on_scratch(path.read_text("utf-8")):
            filtered = path.with_stem(_SAME_WITH_FILTER.get(path.stem, path.stem))
            pair = (_statements(path.read_text("utf-8")), _statements(filtered.read_text("utf-8")))
            found[str(path.relative_to(sql.ROOT))] = pair
    return found


def _leans_on_scratch(script: str) -> bool:
    pipeline = _PIPELINE.search(script)
    if pipeline is None:
        return False
    made = set(_MADE.findall(sql.read(_SCRATCH))) | _LOOKUPS
    return (
        set(_VARIABLE.findall(pipeline[1])) <= _DRAW.keys() and set(_USED.findall(script)) <= made
    )


def _statements(script: str) -> list[str]:
    pipeline = _PIPELINE.search(script)
    assert pipeline
    return pipeline[1].split(";\n")


def tenant(session: psycopg.Connection) -> UUID:
    """Whom the calls act for. Raises LabError without anybody."""
    row = session.execute(sql.queries(QUERIES)["tenant"]).fetchone()
    session.rollback()
    if row is None:
        raise LabError(
            "no active tenant has a subscription and a running campaign: run the job `build` first"
        )
    return row[0]


def called(session: psycopg.Connection, role: str, text: LiteralString, acting_for: UUID) -> Plans:
    """Plans of all that a call executes. Raises psycopg.Error when it calls nothing."""
    try:
        session.execute("select lab.enter_tenant(%s)", [acting_for])
        session.execute(sql.queries(QUERIES)["lend"])
        session.execute(sql.queries(QUERIES)["forget_plans"])
        with _printed(session, role) as plans:
            cursor = session.execute(text)
            rows = [cursor.rowcount]
            while cursor.nextset():
                rows.append(cursor.rowcount)
    finally:
        session.rollback()
    if 0 in rows:
        raise psycopg.DataError(f"statement {rows.index(0) + 1} finds no row to call it with")
    return plans


def explained(session: psycopg.Connection, role: str, statements: Sequence[str]) -> Plans:
    """Plans of a script's statements, within ``scratch``; the first enters the tenant."""
    plans: dict[str, list[Scan]] = {}
    session.execute("savepoint script")
    session.execute(_bound(statements[0]), _DRAW)
    for place, text in enumerate(statements[1:], 2):
        with _printed(session, role) as found:
            session.execute(pg.SQL("explain ") + pg.SQL(_bound(text)), _DRAW)
        plans[f"statement {place}"] = [scan for scans in found.values() for scan in scans]
    session.execute("rollback to script")
    return plans


def _bound(text: str) -> LiteralString:
    """pgbench's variables as psycopg's parameters."""
    return cast(LiteralString, _VARIABLE.sub(r"%(\1)s", text.replace("%", "%%")))


@contextmanager
def scratch(session: psycopg.Connection) -> Iterator[None]:
    """What the load scripts lean on, as long as the transaction lasts.

    Raises LabError while a load run uses the database.
    """
    queries = sql.queries(_SCRATCH)
    if session.execute(queries["lock"]).fetchone() != (True,):
        raise LabError("a load run is using the database: wait until it ends, or end its session")
    try:
        session.execute(queries["drop"])
        session.execute(queries["create"])
        session.execute("set local role lab_platform")
        session.execute(queries["choose_tenants"], _SIZES)
        session.execute(queries["choose_targets"], _SIZES)
        session.execute("reset role")
        session.execute(queries["define_lookups"])
        yield
    finally:
        session.rollback()
        session.execute(sql.queries(QUERIES)["unlock"])
        session.commit()


@contextmanager
def _printed(session: psycopg.Connection, role: str) -> Iterator[dict[str, list[Scan]]]:
    """Collect the plans of what is executed as a role within the block."""
    plans: dict[str, list[Scan]] = defaultdict(list)

    def collect(message: psycopg.errors.Diagnostic) -> None:
        if tree := message.message_detail:
            plans[message.context or ""] += plan_tree.scans(tree)

    session.execute(pg.SQL("set local role {}").format(pg.Identifier(role)))
    session.add_notice_handler(collect)
    try:
        session.execute(sql.queries(QUERIES)["print_plans"])
        yield plans
    finally:
        session.remove_notice_handler(collect)
