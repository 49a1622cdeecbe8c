"""A run of the loss oracle: writers, killed syncs, crashes; at last the verdicts."""

import os
import random
import signal
import threading
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb
import psycopg

from oltp_lab import servers, sql
from oltp_lab.errors import LabError
from oltp_lab.schema import build
from oltp_lab.servers import Database, embedded
from oltp_lab.settings import Settings
from oltp_lab.warehouse import mart_reconciliation, reconciliation
from oltp_lab.warehouse.loss_oracle import ledger, syncs
from oltp_lab.warehouse.loss_oracle.ledger import FAULTS, Rows, Verdict
from oltp_lab.warehouse.loss_oracle.syncs import Attempt, Outcome, Syncs
from oltp_lab.warehouse.loss_oracle.writers import ROLE, Gate, Writer
from oltp_lab.warehouse.tables import describe

DELTA, OLTP, NAIVE = "two_snapshot_delta", "oltp", "updated_at"
FEWEST = 3
"""Kills and crashes that a run must have had to prove anything."""

_IN_STATEMENT_S = 0.003
_TURNS = (
    "boundary", "in a statement", "whole", "boundary", "boundary", "at a moment", "crash within",
    "boundary", "in full", "crash after",
)  # fmt: skip


@dataclass(frozen=True)
class Extent:
    """What ``loss_oracle.toml`` says; with ``kills`` it goes on up to so many instead."""

    writers: int
    tenants: int
    longest_s: float
    purge_batch: int
    seconds: float
    kills: int | None = None

    @classmethod
    def read(cls, scale: str) -> "Extent":
        """As long as the scale wants."""
        described = tomllib.loads(sql.read("warehouse/loss_oracle/loss_oracle.toml"))
        lengths = described.pop("scales")[scale]
        return cls(**described, **lengths)

    @property
    def limit(self) -> float:
        """Seconds, after which the syncs have hung."""
        return 300 + 10 * self.seconds + 10 * (self.kills or 0)


@dataclass
class Cursor:
    """An extractor that goes on after the newest that it has seen; ``rows`` are what it holds."""

    name: str
    query: str
    rows: Rows = field(default_factory=dict)
    position: str | None = None

    def sync(self, connection: psycopg.Connection) -> None:
        """One increment."""
        found = connection.execute(self.query.encode(), {"cursor": self.position})
        for table, key, value, position in found:
            self.rows[table, key] = value
            self.position = position


@dataclass(frozen=True)
class Judged:
    """What a run found: the verdicts of each arm by table, and how often what was done, by kind.

    ``differences`` are sentences: where staging differs from the OLTP, or a mart from staging.
    """

    verdicts: Mapping[str, Sequence[Verdict]]
    done: Mapping[str, Counter[str]]
    differences: Sequence[str]
    seconds: float

    @property
    def headline(self) -> str:
        """How much it went through."""
        done = {kind: counted.total() for kind, counted in self.done.items()}
        commits = self.done["transaction"]["commits"]
        return (
            f"{done['killed at']:,} syncs killed, {done['crash']:,} crashes of the server, "
            f"{commits:,} commits acknowledged, in {self.seconds:,.0f} s"
        )

    def told(self, arm: str) -> str:
        """How much an arm has otherwise than was acknowledged."""
        sums = {fault: sum(getattr(v, fault) for v in self.verdicts[arm]) for fault in FAULTS}
        return ", ".join(f"{number:,} {fault}" for fault, number in sums.items())

    def failures(self) -> list[str]:
        """Sentences: what the warehouse, or the server itself, has otherwise than acknowledged."""
        told = [
            f"{arm.replace('_', ' ')}, {verdict.table_name}: {', '.join(verdict.examples)}"
            for arm in (OLTP, DELTA)
            for verdict in self.verdicts[arm]
            if verdict.faults
        ]
        return [*told, *self.differences]

    def doubts(self) -> list[str]:
        """Why it proves little, in sentences."""
        told = []
        if not any(verdict.lost + verdict.stale for verdict in self.verdicts[NAIVE]):
            told.append("the cursor over updated_at lost nothing")
        for kind, least in (("killed at", FEWEST), ("crash", 1), ("sync", 2)):
            if self.done[kind].total() < least:
                told.append(f"{kind}: {self.done[kind].total()} times only")
        return told

    def verdict_rows(self) -> list[dict[str, Any]]:
        """The verdicts as measurements have them."""
        return [
            {"arm": arm} | {k: v for k, v in asdict(verdict).items() if k != "examples"}
            for arm, verdicts in self.verdicts.items()
            for verdict in verdicts
        ]

    def done_rows(self) -> list[dict[str, Any]]:
        """What was done as measurements have it."""
        return [
            {"kind": kind, "name": name, "times": times, "seconds": self.seconds}
            for kind, counted in self.done.items()
            for name, times in sorted(counted.items())
        ]


def run(
    settings: Settings,
    extent: Extent,
    holder: str,
    *,
    seed: int = 1,
    program: Sequence[str] = syncs.PROGRAM,
    say: Callable[[str], None] = lambda _: None,
) -> Judged:
    """Write, sync, kill and crash on a throw-away server; then judge who holds what.

    Raises LabError when a sync fails that nobody disturbed.
    """
    with servers.throwaway(settings, holder) as database:
        _set_up(database)
        assert database.server.cluster
        warehouse = database.server.cluster.folder / "warehouse.duckdb"
        with syncs.started(database, warehouse, program, extent.limit) as attempts:
            ordeal = Ordeal(database, extent, attempts, random.Random(seed), say)
            ordeal.endure()
        return ordeal.judged(warehouse)


class Ordeal:
    """The database, its writers, and what is done to them."""

    def __init__(
        self,
        database: Database,
        extent: Extent,
        attempts: Syncs,
        choice: random.Random,
        say: Callable[[str], None],
    ) -> None:
        self.database, self.extent, self.attempts = database, extent, attempts
        self.choice, self.say = choice, say
        # Who connects to it does not start it again, as the lab does where a server has died.
        fragile = replace(database, server=replace(database.server, cluster=None))
        self.gate = Gate()
        self.writers = [
            Writer(fragile, self.gate, n, extent.tenants, extent.longest_s, extent.purge_batch)
            for n in range(extent.writers)
        ]
        queries = sql.queries("warehouse/loss_oracle/cursors.sql")
        self.cursors = [Cursor(name, query) for name, query in queries.items()]
        self.done = {kind: Counter[str]() for kind in ("killed at", "crash", "sync")}
        self.boundaries: Counter[str] = Counter()
        self.whole_s, self.last = 1.0, ""
        self.began = time.monotonic()

    def endure(self) -> None:
        """All of it, until the writers have come to rest and the last sync is whole.

        However short it is, it has every kind of turn.
        """
        self._attempt(Attempt(every=True))
        self._attempt(Attempt())
        with self._writing():
            while True:
                for turn in _TURNS:
                    self._turn(turn)
                    self._poll()
                    self._raise_failures()
                if self._long_enough():
                    break
        for writer in self.writers:
            writer.finish()
        self.writers[0].be_overtaken(self._look)  # which loses rows to cursors for certain
        self._attempt(Attempt(every=True))
        self._poll()
        if self.last != "whole":
            raise LabError(f"the last sync was {self.last}, though nobody disturbed it")

    def judged(self, warehouse: Path) -> Judged:
        """Who holds what."""
        acknowledged = ledger.truth(book for w in self.writers for book in w.books)
        held = sql.queries("warehouse/loss_oracle/held.sql")
        with self.database.connect(ROLE) as platform:
            in_oltp = platform.execute(held["oltp"]).fetchall()
        with duckdb.connect(warehouse) as connection:
            in_warehouse = connection.execute(held["warehouse"]).fetchall()
            differences = list(_differences(connection, self.database))
        extracted = {t for cursor in self.cursors for t, _ in cursor.rows}
        stored = {key: value for key, value in acknowledged.items() if key[0] != ledger.MART}
        followed = {key: value for key, value in stored.items() if key[0] in extracted}
        verdicts = {
            OLTP: ledger.judge(stored, in_oltp),
            DELTA: ledger.judge(acknowledged, in_warehouse),
        } | {
            cursor.name: ledger.judge(followed, [(*k, v) for k, v in cursor.rows.items()])
            for cursor in self.cursors
        }
        transactions = sum((writer.done for writer in self.writers), Counter[str]())
        done = self.done | {"transaction": transactions}
        return Judged(verdicts, done, differences, time.monotonic() - self.began)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        threads = [threading.Thread(target=writer.run) for writer in self.writers]
        self.began = time.monotonic()
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.gate.close(for_good=True)
            for thread in threads:
                thread.join()
        self._raise_failures()

    def _raise_failures(self) -> None:
        for writer in self.writers:
            if writer.failure:
                raise writer.failure

    def _long_enough(self) -> bool:
        kills = self.done["killed at"].total() + self.done["crash"].total()
        if self.done["killed at"].total() < FEWEST:
            return False
        if self.extent.kills is None:
            return time.monotonic() - self.began > self.extent.seconds
        self.say(f"{kills} kills in {time.monotonic() - self.began:,.0f} s")
        return kills >= self.extent.kills

    def _turn(self, turn: str) -> None:
        if turn == "whole":
            self._attempt(Attempt())
        elif turn == "crash after":
            self._attempt(Attempt())
            self._crash(turn)
        elif turn == "crash within":
            self.attempts.begin(Attempt())
            time.sleep(self.choice.random() * self.whole_s)
            self._crash(turn)
        elif turn == "at a moment":
            self._attempt(Attempt(after_s=self.choice.random() * self.whole_s))
        elif turn == "in full":  # up to its commit: after it, what was lost before would be there
            self._attempt(Attempt(full_refresh=True, boundary="commit"))
        else:
            after = self.choice.random() * _IN_STATEMENT_S if turn == "in a statement" else None
            name = self._rarest()
            nth = self.choice.randint(1, self.boundaries[name])
            self._attempt(Attempt(boundary=name, nth=nth, after_s=after))

    def _rarest(self) -> str:
        """The boundary that a kill has hit least often, any of those."""
        fewest = min(self.done["killed at"][name] for name in self.boundaries)
        rare = [n for n in self.boundaries if self.done["killed at"][n] == fewest]
        return self.choice.choice(rare)

    def _attempt(self, attempt: Attempt) -> None:
        began = time.monotonic()
        self.attempts.begin(attempt)
        self._note(self.attempts.end(), began)

    def _look(self) -> None:
        """As all who extract do."""
        self._attempt(Attempt())
        self._poll()

    def _note(self, outcome: Outcome, began: float) -> None:
        self.last = outcome.ended
        self.done["sync"][outcome.ended] += 1
        if outcome.ended == "killed":
            self.done["killed at"][outcome.at] += 1
        elif outcome.ended == "whole":
            self.boundaries = Counter(outcome.passed)
            self.whole_s = time.monotonic() - began
        elif not self.gate.closing.is_set():
            raise LabError(f"a sync failed that nobody disturbed: {outcome.error}")

    def _crash(self, when: str) -> None:
        """Crash the server, start it again, and learn what became of what was in doubt."""
        cluster = self.database.server.cluster
        assert cluster
        postmaster = embedded.postmaster(cluster)
        assert postmaster
        how = self.choice.choice((signal.SIGQUIT, signal.SIGKILL))  # immediate stop, or no stop
        self.gate.close()
        os.kill(postmaster, how)
        if when == "crash within":
            self._note(self.attempts.end(), time.monotonic())
        self.gate.wait_until_empty()
        embedded.stop(cluster)  # what of it still runs
        self._raise_failures()
        self.done["crash"][f"{when} a sync, {how.name}"] += 1
        with self.database.connect(autocommit=True) as administrator:
            for writer in self.writers:
                writer.resolve(administrator)
        self.gate.unflushed = not self.gate.unflushed
        self.gate.open()

    def _poll(self) -> None:
        with self.database.connect(ROLE, autocommit=True) as platform:
            for cursor in self.cursors:
                cursor.sync(platform)


def _set_up(database: Database) -> None:
    build.ensure(database)
    queries = sql.queries("warehouse/loss_oracle/server.sql")
    with database.connect(autocommit=True) as administrator:
        for name in ("delay_writing", "delay_writing_further", "keep_ids", "reload"):
            administrator.execute(queries[name])


def _differences(connection: duckdb.DuckDBPyConnection, database: Database) -> Iterator[str]:
    descriptions = describe(database)
    for table in reconciliation.reconcile(connection, database, descriptions):
        for told in table.differences:
            yield f"{table.table_name}: {told}"
    compared = mart_reconciliation.reconcile(connection, database, descriptions)
    for mart, differences in compared.items():
        for told in differences:
            yield f"{mart.name}: {told}"
