"""What the sample data promises: one rule a file in ``sql/sample_data/checks``, discovered.

A file begins with the table it is about and the promise, and selects the rows that break it.
"""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, LiteralString

import psycopg
from psycopg import sql as pg

from oltp_lab import sql
from oltp_lab.errors import LabError

_HEADER = re.compile(r"-- (?P<schema>\w+)\.(?P<table>\w+): (?P<promise>[^\n]+)\n")


@dataclass(frozen=True)
class Rule:
    """A promise about rows of ``schema.table``; ``query`` selects those that break it."""

    name: str
    schema: str
    table: str
    promise: str
    query: LiteralString


@dataclass(frozen=True)
class Verdict:
    """How many rows break a rule, and up to ten of them."""

    offending: int
    examples: list[dict[str, Any]]


def rules() -> list[Rule]:
    """Every rule. Raises LabError for a file without its first line."""
    return [_rule(file) for file in sql.files("sample_data/checks")]


def prepare(connection: psycopg.Connection) -> None:
    """Make what the rules select from; it lasts as long as the connection."""
    connection.execute(sql.read("sample_data/sample_rows.sql"))


def judge(connection: psycopg.Connection, rule: Rule) -> Verdict:
    """Look for rows that break a rule, as what the prepared connection's role may see."""
    query = pg.SQL(sql.queries("sample_data/queries.sql")["offending"])
    found = connection.execute(query.format(rule=pg.SQL(rule.query))).fetchall()
    return Verdict(found[0][0] if found else 0, [row for _, row in found])


def _rule(file: str) -> Rule:
    text = sql.read(file)
    header = _HEADER.match(text)
    if header is None:
        raise LabError(f"sql/{file} must begin with a line `-- schema.table: what it promises`")
    return Rule(PurePosixPath(file).stem, **header.groupdict(), query=text)
