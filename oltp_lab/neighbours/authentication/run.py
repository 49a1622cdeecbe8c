"""A run: the walk, and what it costs, in a database of their own."""

import time
import tomllib
from dataclasses import asdict, dataclass
from typing import Any

from oltp_lab import sql
from oltp_lab.neighbours.authentication import costs, walk
from oltp_lab.neighbours.authentication.passwords import Passwords
from oltp_lab.neighbours.authentication.walk import Step
from oltp_lab.schema import build
from oltp_lab.servers import Database, databases


@dataclass(frozen=True)
class Extent:
    """What ``authentication.toml`` says of a scale."""

    cost: int
    costs: list[int]
    log_ins: int
    rounds: int
    requests: int

    @classmethod
    def read(cls, scale: str) -> "Extent":
        return cls(
            **tomllib.loads(sql.read("neighbours/authentication/authentication.toml"))[scale]
        )


@dataclass(frozen=True)
class Walked:
    """The steps that were taken, and rows of what was measured; all took ``seconds``."""

    steps: list[Step]
    log_ins: list[dict[str, Any]]
    requests: list[dict[str, Any]]
    seconds: float

    def step_rows(self) -> list[dict[str, Any]]:
        """A row for each step, by number in their order."""
        return [
            {"number": number, **asdict(step), "as_expected": step.as_expected}
            for number, step in enumerate(self.steps, 1)
        ]

    def wrong(self, kind: str) -> list[str]:
        """Steps of a kind that did not go as they must, in words."""
        return [
            f"{s.part}, {s.step}: {s.got} (expected: {s.expected})"
            for s in self.steps
            if s.kind == kind and not s.as_expected
        ]


def run(original: Database, extent: Extent, *, cost: int | None = None) -> Walked:
    """In a database beside ``original``. ``cost`` is bcrypt's in the walk, if not the extent's."""
    passwords = Passwords(extent.cost if cost is None else cost)
    began = time.perf_counter()
    with databases.temporary(original) as database:
        build.ensure(database)
        steps = walk.take(database, passwords)
        log_ins = costs.log_ins(database, extent.costs, extent.log_ins)
        requests = costs.requests(database, extent.rounds, extent.requests)
    return Walked(steps, log_ins, requests, time.perf_counter() - began)
