"""The challenge, line by line, and what answers each line: ``sql/findings/questions.toml``.

Looking an answer up belongs here too. An answer is ``kind:name``; the kinds are in the file's head.
"""

import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from oltp_lab import sql
from oltp_lab.measuring.store import Measurements

FILE = "findings/questions.toml"
QUERIES = "findings/report/queries.sql"


@dataclass(frozen=True)
class Question:
    """A line that asks for something; without answers it is open."""

    id: str
    section: str
    kind: str
    text: str
    answers: tuple[str, ...]


Known = Mapping[str, Collection[str]]
"""What there is beside files, by kind: keys of assets, ``key:name`` of checks, marts, and
``table.column`` of measurements."""


@cache
def _read() -> dict[str, Any]:
    return tomllib.loads(sql.read(FILE))


def title() -> str:
    """What the challenge is called."""
    return _read()["title"]


def order() -> list[str]:
    """Findings in the order in which they are shown."""
    return _read()["findings"]


@cache
def questions() -> tuple[Question, ...]:
    """Every line, in the challenge's order."""
    return tuple(
        Question(**{**line, "answers": tuple(line["answers"])}) for line in _read()["question"]
    )


def by_section(lines: Iterable[Question]) -> dict[str, list[Question]]:
    """Lines under their sections, in order."""
    sections: dict[str, list[Question]] = {}
    for line in lines:
        sections.setdefault(line.section, []).append(line)
    return sections


def measured_columns(store: Measurements) -> frozenset[str]:
    """``table.column`` of everything that was measured."""
    return frozenset(store.read(sql.queries(QUERIES)["columns"])["name"])


def exists(answer: str, known: Known) -> bool:
    """Whether there is what an answer names; an unknown kind names nothing."""
    kind, _, name = answer.partition(":")
    if kind == "finding":
        return sql.path(f"findings/{name}.sql").is_file()
    if kind == "file":
        return name.startswith("sql/") and sql.path(name.removeprefix("sql/")).is_file()
    return name in known.get(kind, ())


def missing(lines: Iterable[Question], known: Known) -> list[tuple[str, str]]:
    """(question, answer) of every answer that names nothing."""
    return [
        (line.id, answer) for line in lines for answer in line.answers if not exists(answer, known)
    ]
