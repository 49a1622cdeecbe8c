"""The metamorphic oracle: row level security leaves of a query what explicit filters leave of it.

Each generated query is asked twice in one snapshot: by the application in a tenant's context, and
by the witness, who sees everything, with every table in it cut down to what the tenant may see. The
multisets of rows must be equal. A query that is asked a third time, without any filter, shows
whether the oracle would have noticed that there is no security.
"""

import random
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from oltp_lab import sql
from oltp_lab.isolation.oracle import grammar, world
from oltp_lab.isolation.oracle.choices import Choices, shrink
from oltp_lab.isolation.oracle.comparing import Answer, Comparing
from oltp_lab.isolation.oracle.grammar import Query, Table
from oltp_lab.isolation.oracle.world import World
from oltp_lab.isolation.subject import Subject

SNAPSHOT = 200
"""Queries that are asked in one snapshot, which holds back vacuum."""
POWER, DROPPED = 0.5, 0.05
"""Shares of queries: that differ without a filter, at least; that are dropped, at most."""
SHOWN = 3
"""Rows of each kind of difference that are told."""


@dataclass(frozen=True)
class Extent:
    """What ``oracle.toml`` says: how many queries, and how they are asked."""

    queries: int
    unfiltered_every: int
    block: int
    pool: int
    samples: int
    timeout_ms: int

    @classmethod
    def read(cls, scale: str) -> "Extent":
        """As much as the scale wants."""
        described = tomllib.loads(sql.read("isolation/oracle/oracle.toml"))
        lengths = described.pop("scales")[scale]
        return cls(**described, **lengths)


@dataclass(frozen=True)
class Question:
    """A query, whose values are in it, and whether it is asked without a context."""

    number: int
    tenant: str
    alone: bool
    query: Query

    @property
    def context(self) -> str | None:
        """The tenant that may see something."""
        return None if self.alone else self.tenant

    def keys(self, tables: Sequence[Table]) -> list[tuple[str, str]]:
        """Kind and name of all that it is counted under."""
        context = ("context", "none" if self.alone else "tenant")
        features = [("feature", feature) for feature in self.query.features]
        used = [("table", tables[number].label) for number in self.query.tables]
        return [("run", "all"), context, *features, *used]


@dataclass(frozen=True)
class Failure:
    """The smallest query found whose answers differ, and some rows that only one of them has."""

    seed: int
    number: int
    tenant: str | None
    tables: tuple[str, ...]
    statement: str
    rows: tuple[str, ...]

    def __str__(self) -> str:
        context = f"tenant {self.tenant}" if self.tenant else "no tenant in context"
        told = f"{', '.join(self.tables)}: {context}, query {self.number} of seed {self.seed}"
        return f"{told}: `{self.statement}`: {'; '.join(self.rows)}"


@dataclass
class Tally:
    """Queries: asked, with an answer of some rows, asked without a filter, other then, given up."""

    queries: int = 0
    non_empty: int = 0
    unfiltered: int = 0
    differing: int = 0
    dropped: int = 0


@dataclass
class Verdict:
    """What came of it. Tallies are by kind (run, context, feature, table) and name.

    ``tables`` are those that queries were made of; ``unproven`` and ``left_out`` as in World.
    """

    seed: int
    tables: tuple[str, ...]
    unproven: tuple[str, ...]
    left_out: tuple[str, ...]
    seconds: float = 0.0
    failure: Failure | None = None
    tallies: dict[tuple[str, str], Tally] = field(default_factory=dict)

    @property
    def total(self) -> Tally:
        """Of all queries."""
        return self.tallies[("run", "all")]

    def of(self, kind: str) -> dict[str, Tally]:
        """Tallies of one kind by name."""
        return {name: tally for (of, name), tally in self.tallies.items() if of == kind}

    def count(self, keys: Sequence[tuple[str, str]], **counts: bool) -> None:
        """Add a query to the tallies of these keys."""
        for key in keys:
            tally = self.tallies.setdefault(key, Tally())
            for name, counted in {"queries": True, **counts}.items():
                setattr(tally, name, getattr(tally, name) + counted)

    def doubts(self) -> list[str]:
        """Why equal answers may prove little."""
        total, asked = self.total, self.of("table")
        missing = [table for table in self.tables if table not in asked]
        power = total.differing / max(total.unfiltered, 1)
        told = (
            (f"no tenant has rows in {', '.join(self.unproven)}", bool(self.unproven)),
            (f"not asked about: {', '.join(missing)}", bool(missing)),
            (f"only {power:.0%} of the queries would differ without any filter", power < POWER),
            (f"{total.dropped} queries were dropped", total.dropped > total.queries * DROPPED),
        )
        return [doubt for doubt, holds in told if holds]

    def rows(self) -> list[dict[str, Any]]:
        """Rows of ``oracle_queries``; those of kind run say more."""
        run = {"seconds": self.seconds, "failure": self.failure and str(self.failure)}
        return [
            {"kind": kind, "name": name, "seed": self.seed, **vars(tally)}
            | (run if kind == "run" else dict.fromkeys(run))
            for (kind, name), tally in sorted(self.tallies.items())
        ]


def questions(world: World, extent: Extent, seed: int, *, closed: bool) -> Iterator[Question]:
    """The same ones for the same rows, extent and seed; those of a block begin with one table.

    ``closed`` promises that nothing shows without a context: the last of each block has none.
    """
    everyone = sorted({tenant for owners in world.tenants for tenant in owners})
    for number in range(extent.queries):
        block, place = divmod(number, extent.block)
        root = block % len(world.tables)
        tenant = random.Random(f"{seed} {block}").choice(world.tenants[root] or everyone)
        choices = Choices((root,), random.Random(f"{seed} {block} {place}"))
        query = grammar.write(world.tables, tenant, choices)
        yield Question(number, tenant, closed and place == extent.block - 1, query)


def run(subject: Subject, extent: Extent, seed: int) -> Verdict:
    """Ask every question, or up to the first whose answers differ; that one is then made smaller.

    Nothing is written. Raises LabError where rows of two tenants are missing.
    """
    begun = monotonic()
    with subject.application() as application, subject.witness() as witness:
        comparing = Comparing(subject, application, witness, extent.timeout_ms)
        known = world.read(comparing.look(), subject, extent.pool, extent.samples)
        labels = tuple(table.label for table in known.tables)
        verdict = Verdict(seed, labels, tuple(known.unproven()), known.left_out)
        for question in questions(known, extent, seed, closed=subject.is_the_labs):
            if question.number % SNAPSHOT == 0:
                comparing.begin(known, question.context)
            elif question.context != comparing.context:
                comparing.enter(question.context)
            compared = comparing.compare(question.query)
            bare = Answer(error="not asked")
            if question.number % extent.unfiltered_every == 0 and not compared.dropped:
                bare = comparing.unfiltered(question.query)
            verdict.count(
                question.keys(known.tables),
                non_empty=compared.expected.rows > 0,
                unfiltered=bare.error is None,
                differing=bare.error is None and bare != compared.expected,
                dropped=compared.dropped,
            )
            if compared.differs:
                verdict.failure = _smallest(comparing, known, question, seed)
                break
        comparing.leave()
    verdict.seconds = monotonic() - begun
    return verdict


def _smallest(comparing: Comparing, world: World, question: Question, seed: int) -> Failure:
    """The smallest query found whose answers differ as those of this one do."""

    def made(choices: tuple[int, ...]) -> Query:
        return grammar.write(world.tables, question.tenant, Choices(choices))

    query = made(
        shrink(
            question.query.choices,
            lambda choices: comparing.compare(made(choices)).differs,
            hints=tuple((number,) for number in sorted(question.query.tables)),
        )
    )
    return Failure(
        seed,
        question.number,
        question.context,
        tuple(sorted(world.tables[number].label for number in query.tables)),
        comparing.statement(query),
        tuple(comparing.difference(query, SHOWN)),
    )
