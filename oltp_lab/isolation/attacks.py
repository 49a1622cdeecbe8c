"""What an attack is, read from its file, and what it can be aimed at, read from the catalog."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, LiteralString, cast

import psycopg
from psycopg import sql as pg
from psycopg.rows import dict_row

from oltp_lab import sql

INSUFFICIENT_PRIVILEGE = "42501"  # missing grants and violated policies alike

_HEADER = re.compile(r"^-- (context|needs|for each|refused with): (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Attack:
    """One statement that must neither return nor touch a row.

    ``context`` is the tenant that it runs as: own or none. ``for_each`` is what it is aimed at one
    by one, if not at the table as a whole: a fixed or an updatable foreign key. ``refused_with`` is
    the SQLSTATE that counts as holding, beside zero rows.
    """

    name: str
    statement: LiteralString
    context: str
    needs_own_rows: bool
    for_each: str | None
    refused_with: frozenset[str]

    @property
    def names_tenant(self) -> bool:
        """Whether it can only be aimed at a table that has a tenant."""
        return "{tenant}" in self.statement or "%(own)s" in self.statement

    def aims(self, target: "Target") -> "Iterable[ForeignKey | None]":
        """What of the table it is aimed at; None stands for the table as a whole."""
        if self.for_each is None:
            return [None]
        updatable = self.for_each.startswith("updatable")
        return [key for key in target.foreign_keys if key.updatable == updatable]


@dataclass(frozen=True)
class ForeignKey:
    """A reference within a tenant, without the tenant's own column; may lab_app update it?"""

    name: str
    columns: tuple[str, ...]
    updatable: bool


@dataclass(frozen=True)
class Target:
    """A table to attack.

    ``tenant`` is the column that names the tenant, if it has one; ``numbers`` are integers of its
    unique keys.
    """

    schema: str
    name: str
    tenant: str | None
    columns: tuple[str, ...]
    numbers: tuple[str, ...]
    enabled: bool
    forced: bool
    has_policy: bool
    foreign_keys: tuple[ForeignKey, ...]

    @property
    def label(self) -> str:
        """schema.name"""
        return f"{self.schema}.{self.name}"

    def compose(self, statement: LiteralString, key: ForeignKey | None = None) -> pg.Composed:
        """The statement aimed at this table, or at one of its foreign keys."""
        names: dict[str, pg.Composable] = {
            "table": pg.Identifier(self.schema, self.name),
            "columns": pg.SQL(", ").join(map(pg.Identifier, self.columns)),
            "reference": pg.SQL(", ").join(map(pg.Identifier, key.columns if key else ())),
        }
        if self.tenant:
            names["tenant"] = pg.Identifier(self.tenant)
        return pg.SQL(statement).format(**names)


def catalogue() -> list[Attack]:
    """Every attack, by name."""
    return [_parse(file) for file in sql.files("isolation/attacks")]


def _parse(file: str) -> Attack:
    text = sql.read(file)
    header = dict(_HEADER.findall(text))
    statement = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    return Attack(
        name=PurePath(file).stem,
        statement=cast(LiteralString, statement.strip()),
        context=header["context"],
        needs_own_rows=header.get("needs") == "own rows",
        for_each=header.get("for each"),
        refused_with=frozenset(
            {INSUFFICIENT_PRIVILEGE, header.get("refused with", INSUFFICIENT_PRIVILEGE)}
        ),
    )


def targets(connection: psycopg.Connection) -> Iterator[Target]:
    """Every table of the database that is not listed as shared."""
    queries = sql.queries("isolation/catalog.sql")
    keys: dict[tuple[str, str], list[ForeignKey]] = {}
    with connection.cursor(row_factory=dict_row) as cursor:
        for found in cursor.execute(queries["foreign_keys"]).fetchall():
            keys.setdefault((found["schema"], found["table_name"]), []).append(
                ForeignKey(found["name"], tuple(found["columns"]), found["updatable"])
            )
        for found in cursor.execute(queries["targets"]).fetchall():
            yield _target(found, tuple(keys.get((found["schema"], found["name"]), ())))


def _target(found: Mapping[str, Any], foreign_keys: tuple[ForeignKey, ...]) -> Target:
    names = {kind: tuple(found[kind]) for kind in ("columns", "numbers")}
    return Target(**{**found, **names, "foreign_keys": foreign_keys})
