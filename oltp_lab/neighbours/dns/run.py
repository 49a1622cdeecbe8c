"""A verification of every domain while the zones change, again of what failed, and of all anew."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from oltp_lab.neighbours import copies
from oltp_lab.neighbours.dns import verify, world
from oltp_lab.neighbours.dns.resolver import Resolver
from oltp_lab.neighbours.dns.verify import Tally
from oltp_lab.neighbours.dns.world import Server, World
from oltp_lab.servers import Database
from oltp_lab.settings import Settings

CHANGING, RETRY, ANEW = "while zones change", "retry of what had no answer", "all anew"
_CHANGE_AFTER_S = 0.1
_RETRIES = 3
_MOMENT = timedelta(seconds=1)
_FAULTS = ("wrong_domains", "unverified_without_proof", "wrong_drift", "wrong_schedule")


@dataclass(frozen=True)
class Verified:
    """What came of it: tallies by round, what is wrong by question, figures, cases."""

    rounds: Mapping[str, Tally]
    wrong: Mapping[str, Sequence[Mapping[str, Any]]]
    outcomes: Mapping[str, int]
    cases: Sequence[Mapping[str, Any]]
    seconds: float

    @property
    def first(self) -> Tally:
        """The round while the zones change, of every domain."""
        return self.rounds[CHANGING]

    def told(self, question: str) -> list[str]:
        """What is wrong, a few sentences."""
        return [
            ", ".join(f"{name} {value}" for name, value in row.items())
            for row in self.wrong[question][:5]
        ]

    def round_rows(self) -> list[dict[str, Any]]:
        """A row for each round."""
        return [
            {"round": name}
            | {k: v for k, v in asdict(tally).items() if k != "statuses"}
            | {"lookups_per_s": tally.lookups / tally.seconds, **self.outcomes}
            | {"wrong": sum(map(len, self.wrong.values())), "total_s": self.seconds}
            for name, tally in self.rounds.items()
        ]


def run(settings: Settings, original: Database, *, seed: int = 1) -> Verified:
    """All domains of the lab's database, in a copy of them.

    Raises LabError when the DNS server does not start or answers nothing.
    """
    began = time.perf_counter()
    at = datetime.now(UTC).replace(microsecond=0)
    with (
        copies.made(original, world.TABLES) as database,
        world.made(database, seed=seed, at=at) as made,
        world.served(settings, made.zone(1)) as server,
    ):
        return _rounds(database, made, server, at, began)


def _rounds(
    database: Database, made: World, server: Server, at: datetime, began: float
) -> Verified:
    soon, later = at + timedelta(minutes=7), at + timedelta(days=2)
    second = made.zone(2)
    with ThreadPoolExecutor(1) as pool:
        change = pool.submit(_publish, server, second)
        rounds = {CHANGING: verified(database, server.port, at)}
        change.result()
    rounds[RETRY] = verified(database, server.port, soon)
    last = later
    rounds[ANEW] = verified(database, server.port, later)
    for turn in range(_RETRIES):  # what only a busy machine made time out answers then
        strays = made.rows("wrong_verdicts", phase=2, since=later, until=last + _MOMENT)
        if not any(row["found"] == "failed" for row in strays):
            break
        last = later + timedelta(hours=1) * 2**turn
        rounds[f"{RETRY}, {turn + 2}"] = verified(database, server.port, last)
    times = {"since": at, "retried": soon, "last": last}
    wrong = {name: made.rows(name, **times) for name in _FAULTS}
    wrong["wrong_verdicts"] = [
        *made.rows("wrong_verdicts", phase=1, since=at, until=later),
        *made.rows("wrong_verdicts", phase=2, since=later, until=last + _MOMENT),
    ]
    (outcomes,) = made.rows("outcomes", since=at)
    cases = made.rows("by_case", since=later)
    return Verified(rounds, wrong, outcomes, cases, time.perf_counter() - began)


def _publish(server: Server, rows: list[tuple[str, str, str]]) -> None:
    time.sleep(_CHANGE_AFTER_S)
    server.publish(rows)


def verified(database: Database, port: int, at: datetime) -> Tally:
    """Whatever is due at that time, by the server on this port.

    Raises LabError when it is silent.
    """
    with (
        database.connect("lab_platform", autocommit=True) as claims,
        database.connect("lab_platform", autocommit=True) as notes,
    ):
        return asyncio.run(verify.verify(claims, notes, Resolver(port), at))
