"""Whether row level security leaves the indexes alone.

Behind a policy, an operator that is not leakproof cannot be looked up in an index. So each
statement is planned twice, as ``lab_app`` in a tenant's context and as ``lab_platform``, whom no
policy filters: what the platform looks up in an index, the application must look up there too.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import psycopg

from oltp_lab import sql
from oltp_lab.isolation.indexes import planned
from oltp_lab.isolation.indexes.plan_tree import Condition, Scan
from oltp_lab.isolation.indexes.planned import APPLICATION, PLATFORM, Plans
from oltp_lab.servers import Database

_QUOTED = re.compile(r'^(?:SQL statement|PL/pgSQL \w+) "(.*?)"$', re.DOTALL | re.MULTILINE)
_PLACE = re.compile(r'function "?([\w.]+)"?(?:\(.*?\))? (line|statement) (\d+)')
_FOREIGN_KEY = re.compile(
    r'SQL statement "[A-Z0-9 ]+ FROM ONLY "'
)  # no policy applies to its check


@dataclass(frozen=True)
class Comparison:
    """One way in which the platform reads a relation of a statement, and what the application does.

    ``source`` is a call (domain/name) or a script, ``statement`` where and what it executes.
    ``lost`` are columns that only the platform looks up in its index, with what of theirs is not
    leakproof; ``operators`` are those not leakproof that only filter what was found.
    """

    source: str
    statement: str
    relation: str
    index_app: str | None
    index_platform: str | None
    safe: bool
    lost: str
    operators: str

    def __str__(self) -> str:
        used = f"uses {self.index_app}" if self.index_app else "uses no index"
        return (
            f"{self.source}: the application {used} on {self.relation}, the platform looks up "
            f"{self.lost} in {self.index_platform} ({self.statement})"
        )


@dataclass(frozen=True)
class Uncompared:
    """An operation, a call or a script of which nothing is proven, and why."""

    source: str
    reason: str

    def __str__(self) -> str:
        return f"{self.source} is not proven: {self.reason}"


@dataclass(frozen=True)
class Names:
    """What the catalog calls the numbers in plans: tables that have policies, and what may leak.

    By object id: a table's name and columns, an index's name and columns (with functions of theirs
    that are not leakproof), operators and functions that are not leakproof.
    """

    tables: Mapping[int, tuple[str, Mapping[str, str]]]
    indexes: Mapping[int, tuple[str, Sequence[tuple[str, Sequence[str]]]]]
    operators: Mapping[int, str]
    functions: Mapping[int, str]

    @classmethod
    def read(cls, session: psycopg.Connection) -> "Names":
        """Those of the session's database."""
        read = {
            name: session.execute(sql.queries(planned.QUERIES)[name]).fetchall()
            for name in ("tables", "indexes", "leaking_operators", "leaking_functions")
        }
        return cls(
            {oid: (name, columns) for oid, name, columns in read["tables"]},
            {oid: (name, columns) for oid, name, columns in read["indexes"]},
            dict(read["leaking_operators"]),
            dict(read["leaking_functions"]),
        )

    def index(self, scan: Scan | None) -> str | None:
        """The name of what a scan uses."""
        return self.indexes[scan.index][0] if scan and scan.index else None

    def leaks(self, scan: Scan, condition: Condition) -> list[str]:
        """What is not leakproof about a condition on an index."""
        assert scan.index
        functions = self.indexes[scan.index][1][condition.column - 1][1]
        operator = self.operators.get(condition.operator or 0)
        return [*functions, operator] if operator else list(functions)

    def condition(self, scan: Scan, condition: Condition) -> str:
        """The column, and what about it is not leakproof."""
        assert scan.index
        column = self.indexes[scan.index][1][condition.column - 1][0]
        leaks = self.leaks(scan, condition)
        return f"{column} by {', '.join(leaks)}" if leaks else column

    def filters(self, scan: Scan) -> set[str]:
        """What a scan filters by that is not leakproof."""
        columns = self.tables[scan.relation][1]
        return {
            f"{self.functions[function]} on {columns.get(str(column), 'a row')}"
            for function, column in scan.filters
            if function in self.functions
        }


def run(database: Database) -> tuple[list[Comparison], list[Uncompared]]:
    """Compare all there is, and tell what could not be.

    Raises LabError without a tenant to act for, or while a load run uses the database.
    """
    compared: dict[Comparison, None] = {}
    uncompared: list[Uncompared] = []
    with database.connect() as session:
        names = Names.read(session)
        for source, app, platform in _planned(session, uncompared):
            compared |= dict.fromkeys(_compare(source, app, platform, names))
        uncompared += _uncalled(session)
    return list(compared), uncompared


def _planned(
    session: psycopg.Connection, uncompared: list[Uncompared]
) -> Iterator[tuple[str, Plans, Plans]]:
    """Every source, planned as the application and as the platform."""
    acting_for = planned.tenant(session)
    quiet = _keep_out_of_the_log(session)
    with planned.scratch(session):
        for file, (ours, theirs) in planned.scripts().items():
            app = planned.explained(session, APPLICATION, ours)
            yield file, app, planned.explained(session, PLATFORM, theirs)
    if not quiet:
        reason = "the administrator may not set log_min_messages, which would fill the server's log"
        uncompared.append(Uncompared("operations", reason))
        return
    for name, text in planned.calls().items():
        try:
            app = planned.called(session, APPLICATION, text, acting_for)
            platform = planned.called(session, PLATFORM, text, acting_for)
        except psycopg.Error as error:
            uncompared.append(Uncompared(name, str(error).splitlines()[0]))
        else:
            yield name, app, platform


def _keep_out_of_the_log(session: psycopg.Connection) -> bool:
    try:
        session.execute(sql.queries(planned.QUERIES)["keep_out_of_the_log"])
    except psycopg.errors.InsufficientPrivilege:
        session.rollback()
        return False
    session.commit()
    return True


def _uncalled(session: psycopg.Connection) -> Iterator[Uncompared]:
    """Operations of the application that no file calls."""
    texts = "\n".join(planned.calls().values())
    for signature, name in session.execute(sql.queries(planned.QUERIES)["callable"]):
        if f"{name}(" not in texts:
            yield Uncompared(signature, f"no file in sql/{planned.CALLS} calls it")


def _compare(source: str, app: Plans, platform: Plans, names: Names) -> Iterator[Comparison]:
    """Index by index that the platform uses; look-ups of policies are the application's alone."""
    for context, scans in sorted(platform.items()):
        if _FOREIGN_KEY.match(context):
            continue
        for theirs in scans:
            if theirs.index and theirs.relation in names.tables:
                relation = theirs.relation, theirs.alias
                ours = [s for s in app.get(context, ()) if (s.relation, s.alias) == relation]
                yield _judge(source, _told(context), ours, theirs, names)


def _judge(
    source: str, statement: str, ours: Sequence[Scan], theirs: Scan, names: Names
) -> Comparison:
    """Safe: the same index as far down, or by choice another that is searched by as much."""

    def likeness(scan: Scan) -> tuple[bool, int]:
        return scan.index == theirs.index, len(scan.conditions & theirs.conditions)

    best = max(ours, key=likeness, default=None)
    found = best.conditions if best else frozenset()
    lost = theirs.conditions - (found if best and best.index == theirs.index else frozenset())
    leaking = any(names.leaks(theirs, condition) for condition in lost)
    return Comparison(
        source=source,
        statement=statement,
        relation=f"{names.tables[theirs.relation][0]} {theirs.alias}",
        index_app=names.index(best),
        index_platform=names.index(theirs),
        safe=best is not None
        and (not lost or (not leaking and len(found) >= len(theirs.conditions))),
        lost="; ".join(sorted(names.condition(theirs, condition) for condition in lost)),
        operators="; ".join(sorted({f for scan in ours for f in names.filters(scan)})),
    )


def _told(context: str) -> str:
    """Where a statement is, and its text, of the server's CONTEXT."""
    place, text = _PLACE.search(context), _QUOTED.match(context)
    where = f"{place[1]} {place[2]} {place[3]}" if place else context or "the call"
    return f"{where}: {' '.join(text[1].split())}" if text else where
