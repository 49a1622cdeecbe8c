"""Mutants: ways to break isolation, each of which the attacks must catch.

Each is a file in ``sql/isolation/mutants``, applied to a clone of the lab's database at scale smoke
on a throw-away server: roles belong to a whole server, and no real one should be without a lock
for a moment.
"""

import re
import time
from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, LiteralString, cast

from oltp_lab import servers, sql, template
from oltp_lab.errors import LabError
from oltp_lab.isolation import subject
from oltp_lab.isolation.attacks import probes
from oltp_lab.isolation.attacks.probes import LEAKED, Probe
from oltp_lab.servers import Database, databases
from oltp_lab.settings import Settings

NONE = "none"
"""The mutant that changes nothing: a suite that is always red catches nothing."""

_HEADER = re.compile(r"^-- on: (.+)$", re.MULTILINE)
_UNDO = "-- undo\n"


@dataclass(frozen=True)
class Mutant:
    """A script that breaks isolation. ``tables`` are attacked, by name; rules judge in any case.

    ``undo`` takes back what belongs to the server, which outlives the clone.
    """

    name: str
    description: str
    tables: frozenset[str]
    damage: LiteralString
    undo: LiteralString


@dataclass(frozen=True)
class Trial:
    """What became of a mutant: the first probe that was red, ``None`` when it survived."""

    mutant: Mutant
    red: Probe | None
    probes: int
    seconds: float

    @property
    def caught(self) -> bool:
        return self.red is not None

    @property
    def row(self) -> dict[str, Any]:
        """As measurements have it."""
        red = self.red
        return {
            "mutant": self.mutant.name,
            "description": self.mutant.description,
            "caught": self.caught,
            "table_name": red and red.table_name,
            "attack": red and red.attack,
            "way": red and red.way,
            "role": red and red.role,
            "detail": red and red.detail,
            "probes": self.probes,
            "seconds": self.seconds,
        }


def catalogue(names: Collection[str] = ()) -> list[Mutant]:
    """Every mutant, or those of the names. Raises LabError for a name that there is not."""
    found = [_parse(file) for file in sql.files("isolation/mutants")]
    if unknown := set(names) - {mutant.name for mutant in found}:
        raise LabError(
            f"there is no mutant {', '.join(sorted(unknown))}: "
            "`mutants` in the run config takes names of files in sql/isolation/mutants"
        )
    return [mutant for mutant in found if not names or mutant.name in names]


def run(settings: Settings, mutants: Collection[Mutant], holder: str) -> Iterator[Trial]:
    """Try each mutant on a clone of its own, the one that changes nothing first."""
    attacked = frozenset[str]().union(*(mutant.tables for mutant in mutants))
    nothing = Mutant(NONE, "The database as it is.", attacked, "select", "")
    with (
        servers.throwaway(settings, holder) as empty,
        template.seeded(empty) as original,
    ):
        for mutant in (nothing, *mutants):
            yield _try(mutant, original)


def apply(mutant: Mutant, database: Database) -> None:
    """Break the database by it, as the administrator."""
    _execute(database, mutant.damage)


def _try(mutant: Mutant, original: Database) -> Trial:
    began, tried = time.monotonic(), 0
    with databases.temporary(original, original) as clone:
        before = _roles(clone)
        try:
            apply(mutant, clone)
            with closing(probes.run(subject.of_the_lab(clone), mutant.tables)) as found:
                red = None
                for probe in found:
                    tried += 1
                    if probe.outcome == LEAKED:
                        red = probe
                        break
        finally:
            _execute(clone, mutant.undo)
        if _roles(clone) != before:
            raise LabError(f"the mutant {mutant.name} does not undo what it did to roles")
    return Trial(mutant, red, tried, time.monotonic() - began)


def _execute(database: Database, script: LiteralString) -> None:
    if script:
        with database.connect(autocommit=True) as connection:
            connection.execute(script)


def _roles(database: Database) -> list[tuple]:
    with database.connect() as connection:
        return connection.execute(sql.queries("isolation/mutants.sql")["roles"]).fetchall()


def _parse(file: str) -> Mutant:
    text = sql.read(file)
    on = _HEADER.search(text)
    if on is None:
        raise ValueError(f"{file} has no line `-- on: schema.table`")
    description = " ".join(line[3:] for line in text[: on.start()].splitlines())
    damage, _, undo = text[on.end() :].partition(_UNDO)
    tables = frozenset() if on[1] == NONE else frozenset(on[1].split(", "))
    return Mutant(
        PurePath(file).stem,
        description,
        tables,
        cast(LiteralString, damage),
        cast(LiteralString, undo),
    )
