"""Queries over any schema, written by the productions of ``sql/isolation/oracle/grammar``.

A file there is a nonterminal, each of its named queries a production. In one, ``{predicate}``
stands for any production of predicate.sql, ``{exact}`` for a column of that kind (catalog.sql has
the kinds), other placeholders for what the methods of ``_Frame`` say; ``{exact:x}`` is the same
wherever it occurs with that label. Where there is nothing to stand for, the first production of the
file takes the place, which always fits.
"""

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import PurePath
from typing import TypeVar

from oltp_lab import sql
from oltp_lab.isolation.oracle.choices import Choices

FOLDER = "isolation/oracle/grammar"
DEEPEST = 3
_OPENING = ("source", "table", "related")
_T = TypeVar("_T")
_Part = tuple[str, str | None, str | None]


@dataclass(frozen=True)
class Column:
    """A column: quoted, its type, its kinds, and literals of values in it by tenant."""

    name: str
    type: str
    kinds: frozenset[str]
    values: Mapping[str, Sequence[str]]

    def of(self, alias: str) -> str:
        """It, so that equal values look the same."""
        return f"{alias}.{self.name}" + ("" if "exact" in self.kinds else "::text")


@dataclass(frozen=True)
class Edge:
    """A way to another table along a foreign key: that table's number, and pairs of columns."""

    other: int
    near: tuple[str, ...]
    far: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """What queries know of a table: ``whole`` says that every column may be read."""

    label: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    edges: tuple[Edge, ...]
    whole: bool


@dataclass(frozen=True)
class Query:
    """A query whose tables are ``{NUMBER}``, those numbers, and its productions."""

    text: str
    tables: frozenset[int]
    features: frozenset[str]
    choices: tuple[int, ...]


class Unfit(Exception):  # noqa: N818 - no error: another production is taken
    """There is nothing that a placeholder could stand for."""


@cache
def productions() -> dict[str, list[tuple[str, list[_Part]]]]:
    """Productions by nonterminal, with their names: texts, each with the placeholder after it."""
    return {
        PurePath(file).stem: [
            (name, [part[:3] for part in string.Formatter().parse(template)])
            for name, template in sql.queries(file).items()
        ]
        for file in sql.files(FOLDER)
    }


def write(tables: Sequence[Table], tenant: str | None, choices: Choices) -> Query:
    """The query that these choices make; the first is the number of the table it begins with."""
    writer = _Writer(tables, tenant, choices, root=choices.below(len(tables)))
    text = writer.expand("query")
    return Query(text, frozenset(writer.used), frozenset(writer.features), tuple(choices.made))


@dataclass
class _Writer:
    """A query being written; ``scope`` are the aliases that can be named, with their tables."""

    tables: Sequence[Table]
    tenant: str | None
    choices: Choices
    root: int
    scope: list[tuple[str, Table]] = field(default_factory=list)
    used: set[int] = field(default_factory=set)
    features: set[str] = field(default_factory=set)
    depths: dict[str, int] = field(default_factory=dict)
    names: count = field(default_factory=lambda: count(1))

    def expand(self, nonterminal: str) -> str:
        """Any of its productions; nested ones are the first every other time, so as to end."""
        options = productions()[nonterminal]
        depth = self.depths.get(nonterminal, 0)
        nested = depth > 0 and (depth >= DEEPEST or self.choices.below(2) == 0)
        chosen = 0 if nested else self.choices.below(len(options))
        self.depths[nonterminal] = depth + 1
        known, used = len(self.scope), set(self.used)
        try:
            text = self._fill(nonterminal, *options[chosen])
        except Unfit:
            del self.scope[known:]
            self.used = used
            text = self._fill(nonterminal, *options[0])
        finally:
            self.depths[nonterminal] = depth
        if nonterminal != "source":
            del self.scope[known:]
        return text

    def _fill(self, nonterminal: str, name: str, parts: list[_Part]) -> str:
        frame = _Frame(self)
        fields = [(place, part[1]) for place, part in enumerate(parts) if part[1]]
        fields.sort(key=lambda found: _turn(found[1]))
        texts = {place: frame.text(what, parts[place][2] or "") for place, what in fields}
        self.features.add(f"{nonterminal}: {name}")
        return "".join(
            literal.replace("{", "{{").replace("}", "}}") + texts.get(place, "")
            for place, (literal, _, _) in enumerate(parts)
        )

    def open(self, number: int) -> str:
        """The table under a new alias."""
        alias = f"t{next(self.names)}"
        self.scope.append((alias, self.tables[number]))
        self.used.add(number)
        return f"{{{number}}} as {alias}"

    def pick(self, options: Sequence[_T]) -> _T:
        """One of them. Raises Unfit when there is none."""
        if not options:
            raise Unfit
        return options[self.choices.below(len(options))]


def _turn(what: str) -> int:
    """Outer columns are written before a table is opened, all others after."""
    return 0 if what.startswith("outer_") else 1 if what in _OPENING else 2


@dataclass
class _Frame:
    """One production being filled: the terminals, each a method of that name without its dash."""

    writer: _Writer
    edge: tuple[str, Edge] | None = None
    column: Column | None = None
    labelled: dict[str, str] = field(default_factory=dict)

    def text(self, what: str, label: str) -> str:
        """What stands for a placeholder."""
        known = f"{what}:{label}" if label else ""
        if known not in self.labelled:
            text = self._written(what)
            if not known:
                return text
            self.labelled[known] = text
        return self.labelled[known]

    def _written(self, what: str) -> str:
        if terminal := getattr(self, f"_{what}", None):
            return terminal()
        if what in productions():
            return self.writer.expand(what)
        kind = what.removeprefix("outer_").removeprefix("newest_")
        scope = self.writer.scope
        return self._of_kind(kind, scope[-1:] if what.startswith("newest_") else scope)

    def _of_kind(self, kind: str, scope: Sequence[tuple[str, Table]]) -> str:
        """A column of a kind; as its text where any would do."""
        fitting = [
            (alias, column)
            for alias, table in scope
            for column in table.columns
            if kind in column.kinds
        ]
        alias, self.column = self.writer.pick(fitting)
        return self.column.of(alias) if kind == "column" else f"{alias}.{self.column.name}"

    def _table(self) -> str:
        """The table that the query begins with."""
        return self.writer.open(self.writer.root)

    def _related(self) -> str:
        """A table that refers to one in scope, or is referred to."""
        ways = [(alias, edge) for alias, table in self.writer.scope for edge in table.edges]
        self.edge = self.writer.pick(ways)
        return self.writer.open(self.edge[1].other)

    def _near(self) -> str:
        """This side's columns of the foreign key."""
        assert self.edge
        alias, edge = self.edge
        return ", ".join(f"{alias}.{name}" for name in edge.near)

    def _far(self) -> str:
        """The related table's columns of it."""
        assert self.edge
        return ", ".join(f"{self._alias()}.{name}" for name in self.edge[1].far)

    def _link(self) -> str:
        """That both are equal."""
        return f"({self._near()}) = ({self._far()})"

    def _alias(self) -> str:
        """The newest table's."""
        return self.writer.scope[-1][0]

    def _columns(self) -> str:
        """All that may be read of the newest table."""
        alias, table = self.writer.scope[-1]
        return ", ".join(f"{alias}.{column.name}" for column in table.columns)

    def _row(self) -> str:
        """A whole row."""
        return self.writer.pick([alias for alias, table in self.writer.scope if table.whole])

    def _key(self) -> str:
        """Primary keys of everything in scope: a total order."""
        return self._keys(self.writer.scope)

    def _newest_key(self) -> str:
        """The newest table's."""
        return self._keys(self.writer.scope[-1:])

    def _keys(self, scope: Sequence[tuple[str, Table]]) -> str:
        if not all(table.key for _, table in scope):
            raise Unfit
        return ", ".join(f"{alias}.{name}" for alias, table in scope for name in table.key)

    def _value(self) -> str:
        """A value of the column before: the tenant's own, or another tenant's."""
        assert self.column
        values = self.column.values
        own = values.get(self.writer.tenant or "", ())
        others = [
            v for tenant, theirs in values.items() if tenant != self.writer.tenant for v in theirs
        ]
        sides = [side for side in (own, others) if side]
        if not sides:
            return f"null::{self.column.type}"
        return f"{self.writer.pick(self.writer.pick(sides))}::{self.column.type}"

    def _alike(self) -> str:
        """Another column, or the same, of the type of the one before."""
        assert self.column
        kind = self.column.type
        alike = [
            f"{alias}.{column.name}"
            for alias, table in self.writer.scope
            for column in table.columns
            if column.type == kind
        ]
        return self.writer.pick(alike)
