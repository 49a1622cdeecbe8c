"""A wave of events through all of it, and what became of each: lost, doubled, dead, in a digest."""

import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from subprocess import Popen
from typing import Any

import psycopg
from psycopg.rows import dict_row

from oltp_lab import servers, sql
from oltp_lab.errors import LabError
from oltp_lab.neighbours import schema, services
from oltp_lab.neighbours.notifications import cost, kill
from oltp_lab.neighbours.notifications.relay import Terms
from oltp_lab.servers import Database, databases
from oltp_lab.settings import Settings

PACKAGE = "oltp_lab.neighbours.notifications"
FOLDER = "queue"
_WAVE = sql.queries("neighbours/notifications/wave.sql")
_RECKONING = sql.queries("neighbours/notifications/reckoning.sql")


@dataclass(frozen=True)
class Extent:
    """How many events of how many tenants, the first of which gets ``storm`` campaigns at once."""

    tenants: int
    each: int
    storm: int
    limit_s: float = 120.0

    @staticmethod
    def of(scale: str) -> "Extent":
        return Extent(10, 2, 60, 30.0) if scale == "smoke" else Extent(500, 4, 2000)


@dataclass(frozen=True)
class Judged:
    """What was found; ``figures`` are those of reckoning.sql, ``cost`` that of the trigger."""

    figures: dict[str, int]
    seconds: float
    relay_s: float
    cost: dict[str, Any]
    killed: Counter[str] = field(default_factory=Counter)

    def failures(self) -> list[str]:
        """What is wrong, in words."""
        row = self.row()
        wrong = [
            f"{row[what]} {what}" for what in ("lost", "doubled", "unheld", "paged") if row[what]
        ]
        return wrong if row["events"] else ["no events"]

    def row(self) -> dict[str, Any]:
        return {
            **self.figures,
            **self.cost,
            "kills": self.killed.total(),
            "seconds": self.seconds,
            "relay_s": self.relay_s,
        }


@dataclass
class Place:
    """The databases of a wave, and the mail server's file."""

    settings: Settings
    oltp: Database
    queue: Database
    mailbox: Path

    def relay(self, *more: str, module: str = f"{PACKAGE}.relay", limit: float = 600.0) -> Any:
        """A relay as a service."""
        named = ("--outbox", self.oltp.name, "--queue", self.queue.name)
        return services.running(self.settings, module, *named, *more, limit=limit)

    def worker(
        self, port: int, *more: str, module: str = f"{PACKAGE}.worker", limit: float = 600.0
    ) -> Any:
        """A worker as a service."""
        named = ("--oltp", self.oltp.name, "--queue", self.queue.name, "--port", str(port))
        return services.running(self.settings, module, *named, *more, limit=limit)

    @contextmanager
    def sink(self, *more: str, limit: float = 600.0) -> Iterator[int]:
        """The mail server; yields its port."""
        arguments = (str(self.mailbox), *more)
        with services.running(self.settings, f"{PACKAGE}.sink", *arguments, limit=limit) as (
            _,
            told,
        ):
            yield told["port"]


@contextmanager
def place(settings: Settings, oltp: Database) -> Iterator[Place]:
    """A queue of its own beside a database of its own, which is the caller's to drop."""
    with (
        databases.temporary(servers.neighbours(settings, FOLDER)) as queue,
        tempfile.TemporaryDirectory(dir=settings.home) as folder,
    ):
        schema.ensure(queue, FOLDER)
        yield Place(settings, oltp, queue, Path(folder) / "mailbox.jsonl")


def make(oltp: Database, extent: Extent) -> None:
    """Note what is told from now on, and let a wave begin.

    Raises LabError when no tenant can be told of anything.
    """
    with oltp.connect() as administrator:
        administrator.execute(_WAVE["discard_waiting"])
        tenants = _tenants(administrator, extent)
        if not tenants:
            raise LabError("no active tenant has an owner: run the job `build` first")
        administrator.execute(_WAVE["spoil_addresses"], [tenants])
        administrator.execute(_WAVE["note_events"])
    surge(oltp, extent)


def surge(oltp: Database, extent: Extent) -> None:
    """Campaigns start and finish, each a row of the outbox in the same transaction."""
    with oltp.connect("lab_platform") as platform:
        told = {"tenants": _tenants(platform, extent), "each": extent.each, "storm": extent.storm}
        for step in ("plan", "start", "finish"):
            platform.execute(_WAVE[step], told)
            platform.commit()


def _tenants(session: psycopg.Connection, extent: Extent) -> list[str]:
    return [tenant for (tenant,) in session.execute(_WAVE["tenants"], [extent.tenants])]


MORE = Extent(tenants=4, each=1, storm=1)
"""What comes while somebody is still to be killed."""
TERMS = Terms(burst=5, period=timedelta(seconds=1))
PACE = ("--pace", "0.001", "--heartbeat", "1")
"""The relay's hour in a second, and the worker's back-off in milliseconds."""


def deliver(
    where: Place,
    *,
    limit_s: float,
    terms: Terms = TERMS,
    pace: Sequence[str] = PACE,
    kills: Sequence[str] = (),
    visits: int = 1,
    seed: int = 1,
    say: Callable[[str], object] = lambda _: None,
) -> tuple[float, float, Counter[str]]:
    """Run relay and worker until all is settled, killing one at each of the points ``kills``.

    A point is deadly at one of its first ``visits`` visits; while some are left, more events come.
    Returns seconds, seconds until the outbox was empty, and the kills.
    Raises LabError when it takes longer than ``limit_s``.
    """
    chance, began, killed = random.Random(seed), time.monotonic(), Counter[str]()
    emptied = 0.0
    with ExitStack() as stack:
        port = stack.enter_context(where.sink())
        oltp = stack.enter_context(where.oltp.connect(autocommit=True))
        queue = stack.enter_context(where.queue.connect(autocommit=True))
        doomed = {
            "relay": [point for point in kills if point in kill.RELAY],
            "worker": [point for point in kills if point in kill.WORKER],
        }
        told = (replace(terms, batch=50) if kills else terms).arguments()
        starts = {
            "relay": lambda *more: where.relay(*told, *more),
            "worker": lambda *more: where.worker(port, *pace, *more),
        }
        running: dict[str, tuple[ExitStack, Popen[str], str | None]] = {}
        while True:
            for name, start in starts.items():
                if name in running and running[name][1].poll() is None:
                    continue
                if name in running:  # it is dead
                    ended, _, point = running.pop(name)
                    ended.close()
                    if point:
                        killed[point] += 1
                        doomed[name].remove(point)
                        say(f"{killed.total()} killed, at: {point}")
                point = chance.choice(doomed[name]) if doomed[name] else None
                more = (
                    ("--die-at", point, "--visit", str(chance.randint(1, visits))) if point else ()
                )
                own = stack.enter_context(ExitStack())
                child, _ = own.enter_context(start(*more))
                running[name] = (own, child, point)
            (waiting, unsettled), (left,) = (
                oltp.execute(_WAVE["unsettled"]).fetchone() or (1, 1),
                queue.execute(_WAVE["jobs"]).fetchone() or (1,),
            )
            emptied = emptied or (time.monotonic() - began if not waiting else 0.0)
            if not (waiting or unsettled or left):
                if any(doomed.values()):
                    surge(where.oltp, MORE)
                    continue
                return time.monotonic() - began, emptied, killed
            if time.monotonic() - began > limit_s:
                raise LabError(
                    f"after {limit_s:g} s {waiting} events, {left} jobs and {unsettled} mails are "
                    "still on their way: see that the machine is not busy, and run again"
                )
            time.sleep(0.02 if kills else 0.05)


def judge(where: Place, terms: Terms = TERMS) -> dict[str, int]:
    """What became of each event, by the databases and the mailbox; who got more than the terms."""
    lines = where.mailbox.read_text("utf-8").splitlines()
    with where.queue.connect() as queue:
        held = queue.execute(_WAVE["held"]).fetchall()
    with where.oltp.connect() as session:
        session.execute(_RECKONING["held"])
        with session.cursor() as cursor, cursor.copy(_RECKONING["fill_held"]) as copy:
            for mail in held:
                copy.write_row(mail)
        session.execute(_RECKONING["mailbox"])
        with session.cursor() as cursor, cursor.copy(_RECKONING["fill_mailbox"]) as copy:
            for mail in map(json.loads, lines):
                copy.write_row((mail["to"], mail["id"], mail["event"]))
        asked = {"burst": terms.burst, "period": terms.period}
        row = session.cursor(row_factory=dict_row).execute(_RECKONING["reckon"], asked).fetchone()
    return {name: int(value) for name, value in (row or {}).items()}


def run(
    settings: Settings,
    original: Database,
    extent: Extent,
    *,
    kills: Sequence[str] = (),
    seed: int = 1,
    say: Callable[[str], object] = lambda _: None,
) -> Judged:
    """A wave in a clone of the filled database.

    Raises LabError when it does not settle within the extent's limit.
    """
    with (
        databases.temporary(original, original) as oltp,
        place(settings, oltp) as where,
    ):
        make(oltp, extent)
        seconds, relay_s, killed = deliver(
            where, limit_s=extent.limit_s, kills=kills, visits=3, seed=seed, say=say
        )
        return Judged(judge(where), seconds, relay_s, cost.of_trigger(oltp), killed)
