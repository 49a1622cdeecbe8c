"""Plans as the planner's own trees, which ``debug_print_plan`` prints: exact, by object id.

EXPLAIN prints conditions as text; here a condition of an index is an operator and the number of the
index's column. The format is that of PostgreSQL's ``nodeToString``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[(){}]|(?:\\.|[^\s(){}\\])+', re.DOTALL)
_INDEX_VAR = "-3"  # a Var of an index condition counts the index's columns
_RELATION = "0"  # RTE_RELATION


@dataclass
class Node:
    """A node: its kind as printed, and its fields without prefixes (scan.plan.qual: qual)."""

    kind: str = ""
    fields: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]


@dataclass(frozen=True)
class Condition:
    """An operator (None: ``is null``) on a column of an index, counted from 1."""

    column: int
    operator: int | None


@dataclass(frozen=True)
class Scan:
    """How a plan reads a relation: which index, what it looks up there, what it filters by after.

    ``filters`` are (function, number of the table's column), of functions and of operators.
    """

    relation: int
    alias: str
    index: int | None
    conditions: frozenset[Condition]
    filters: frozenset[tuple[int, int]]


def scans(text: str) -> list[Scan]:
    """Every scan of a table in a printed plan."""
    if f":rtekind {_RELATION} " not in text.replace("\n", " "):
        return []
    plan = parse(text)
    relations = plan["rtable"]
    found = []
    for node in _nodes(plan):
        if "scanrelid" in node.fields:
            relation = relations[int(node["scanrelid"]) - 1]
            if relation["rtekind"] == _RELATION:
                found.append(_scan(node, relation))
    return found


def parse(text: str) -> Node:
    """The tree of a printed node."""
    stack: list[list[Any]] = [[]]
    for token in _TOKEN.findall(text):
        if token in {"{", "("}:
            stack.append([])
        elif token == ")":
            done = stack.pop()
            stack[-1].append(done)
        elif token == "}":
            done = stack.pop()
            stack[-1].append(_node(done))
        else:
            stack[-1].append(token)
    return stack[0][0]


def _node(items: list[Any]) -> Node:
    fields: dict[str, Any] = {}
    name = None
    for item in items[1:]:
        if isinstance(item, str) and item.startswith(":"):
            name = item.rpartition(".")[2].removeprefix(":")
        elif name:
            fields[name], name = item, None
    return Node(items[0], fields)


def _nodes(item: Any) -> Iterator[Node]:
    """The node, or those of a list, and all below."""
    if isinstance(item, Node):
        yield item
        item = item.fields.values()
    elif not isinstance(item, list):
        return
    for part in item:
        yield from _nodes(part)


def _scan(node: Node, relation: Node) -> Scan:
    conditions = {
        Condition(int(column["varattno"]), _operator(clause))
        for clause in _listed(node.fields.get("indexqual"))
        for column in _nodes(clause)
        if column.kind == "VAR" and column["varno"] == _INDEX_VAR
    }
    filters = {
        (function, int(column["varattno"]))
        for call in _nodes(_listed(node.fields.get("qual")))
        if (function := _function(call))
        for column in _nodes(call)
        if column.kind == "VAR" and column["varno"] == node["scanrelid"]
    }
    index = node.fields.get("indexid")
    return Scan(
        int(relation["relid"]),
        relation["eref"]["aliasname"],
        int(index) if index else None,
        frozenset(conditions),
        frozenset(filters),
    )


def _operator(clause: Node) -> int | None:
    found = clause.fields.get("opno")
    return int(found) if found else None


def _function(call: Node) -> int:
    return int(call.fields.get("opfuncid") or call.fields.get("funcid") or 0)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
