"""What calls do, without a clock: how the server executes them and every statement within them."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg

from oltp_lab import sql
from oltp_lab.errors import LabError

_QUERIES = "measuring/explain.sql"
_PLAN = "plan:\n"


@dataclass(frozen=True)
class Statement:
    """One that was executed: the server's CONTEXT of it (empty for a call itself), its plan."""

    where: str
    plan: dict[str, Any]

    @property
    def visits(self) -> float:
        """Rows that its scans looked at, found or not, and descents of indexes."""
        return sum(_visits(node) for node in nodes(self.plan))

    def told(self) -> str:
        """Where, the nodes from the top down, and what the busiest of them did."""
        names = " > ".join(name(node) for node in nodes(self.plan))
        busiest = max(nodes(self.plan), key=_visits)
        where = " ".join(self.where.splitlines()[:1]) or "the call"
        return (
            f"{where}: {names}; {name(busiest)}: {_visits(busiest):,.0f} visits, "
            f"{blocks(busiest):,} blocks"
        )


@dataclass
class Explained:
    """Statements as they end: those within a call before the call itself."""

    statements: list[Statement] = field(default_factory=list)

    @property
    def blocks(self) -> int:
        """Blocks that calls found in shared buffers or read into them, all within included."""
        return sum(blocks(each.plan) for each in self.statements if not each.where)

    @property
    def visits(self) -> float:
        """Rows that scans looked at and descents of indexes, whatever an index's height."""
        return sum(each.visits for each in self.statements)


@contextmanager
def explained(session: psycopg.Connection) -> Iterator[Explained]:
    """Collect what an administrator's session (in whatever role) executes within the block.

    Raises LabError where the server cannot say.
    """
    found = Explained()

    def collect(message: psycopg.errors.Diagnostic) -> None:
        text = message.message_primary or ""
        if _PLAN in text:
            plan = json.loads(text.partition(_PLAN)[2])["Plan"]
            found.statements.append(Statement(message.context or "", plan))

    session.add_notice_handler(collect)
    try:
        yield found
    finally:
        session.remove_notice_handler(collect)


def switch(session: psycopg.Connection, *, on: bool) -> None:
    """Let an administrator's session say how it executes, or no more.

    Raises LabError where the server cannot.
    """
    try:
        session.execute(sql.queries(_QUERIES)["on" if on else "off"])
    except psycopg.Error as error:
        raise LabError(
            f"the server cannot explain what functions execute ({error.diag.message_primary}): "
            "install PostgreSQL's contrib modules and use a superuser, or the embedded server"
        ) from None


def heaviest(statements: Sequence[Statement]) -> str:
    """The statement with the most visits, its repetitions taken together: its plan, in a line."""
    same: dict[str, list[Statement]] = defaultdict(list)
    for each in statements:
        same[each.where].append(each)
    repeated = max(same.values(), key=lambda group: sum(each.visits for each in group))
    busiest = max(repeated, key=lambda each: each.visits)
    times = f", and that {len(repeated):,} times" if len(repeated) > 1 else ""
    return busiest.told() + times


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The nodes of a plan, from the top down."""
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def name(node: dict[str, Any]) -> str:
    """A node's type, and the index or table that it reads."""
    what = node.get("Index Name") or node.get("Relation Name")
    return f"{node['Node Type']} ({what})" if what else node["Node Type"]


def blocks(node: dict[str, Any]) -> int:
    """Blocks of shared buffers that a node and those below it used."""
    return node["Shared Hit Blocks"] + node["Shared Read Blocks"]


def _visits(node: dict[str, Any]) -> float:
    if "Scan" not in node["Node Type"] or not ("Relation Name" in node or "Index Name" in node):
        return 0.0
    removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return (node["Actual Rows"] + removed) * node["Actual Loops"] + node.get("Index Searches", 0)
