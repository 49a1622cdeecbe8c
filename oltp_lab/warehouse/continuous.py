"""``make sync``: keeping a warehouse fresh without Dagster, by syncing and refreshing in a loop.

``python -m oltp_lab.warehouse.continuous --every 5`` takes turns until SIGTERM or SIGINT ends it
after the turn that it is at; a second signal ends it at once, which undoes that turn. With
``--asked`` it takes one for each line that it is given, and answers with what it did as JSON.
"""

import json
import os
import resource
import select
import signal
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from types import FrameType

import click

from oltp_lab import servers, settings
from oltp_lab.errors import LabError
from oltp_lab.measuring.store import Measurements, Run
from oltp_lab.resources.warehouse import Warehouse
from oltp_lab.servers import Database
from oltp_lab.warehouse import extraction, marts
from oltp_lab.warehouse.extraction import Synced
from oltp_lab.warehouse.marts import Mart, Refreshed
from oltp_lab.warehouse.tables import MIRRORED, TableSpec, describe

NICE = 10
"""Beside a server on the same machine: figures can wait, people cannot."""
LONGEST_RUN = 5_000
"""Rows of ``syncs`` under one run id: its file is written anew each time."""


@dataclass(frozen=True)
class Turn:
    """A sync and the refresh after it; times are ``time.time()``.

    The marts equal the snapshot of ``snapshot_at`` from ``ended`` on. ``cpu_s`` are this process'
    CPU seconds for it, ``memory_mb`` the most that it ever had.
    """

    began: float
    snapshot_at: float
    ended: float
    synced: list[Synced]
    refreshed: list[Refreshed]
    cpu_s: float
    memory_mb: float

    @property
    def rows(self) -> int:
        """Rows that were read or removed."""
        return sum(done.rows + done.deleted for done in self.synced)

    def as_json(self) -> str:
        """What a program is answered."""
        told = {name: value for name, value in vars(self).items() if isinstance(value, float)}
        changed = sum(done.mode != extraction.NONE for done in self.synced)
        full = sum(done.mode == extraction.FULL for done in self.synced)
        return json.dumps(told | {"rows": self.rows, "changed": changed, "full": full})

    def __str__(self) -> str:
        at = datetime.fromtimestamp(self.ended, UTC)
        rebuilt = [done.mart.name for done in self.refreshed if done.mode != marts.NONE]
        return (
            f"{at:%H:%M:%S} {self.rows:,} rows in {self.ended - self.began:.2f} s, "
            f"{self.ended - self.snapshot_at:.2f} s behind; refreshed: {', '.join(rebuilt) or '-'}"
        )


def take_turn(
    warehouse: Warehouse, database: Database, tables: Sequence[TableSpec], chosen: Sequence[Mart]
) -> Turn:
    """Sync the tables and refresh the marts. Raises LabError as either does."""
    began, cpu = time.time(), time.process_time()
    descriptions = describe(database, tables)
    with warehouse.open(holder="oltp_lab.warehouse.continuous") as connection:
        synced = extraction.sync(connection, database, descriptions)
        snapshot_at = time.time() - max(done.age_s or 0.0 for done in synced)
        refreshed = marts.refresh(connection, chosen)
    return Turn(
        began=began,
        snapshot_at=snapshot_at,
        ended=time.time(),
        synced=synced,
        refreshed=refreshed,
        cpu_s=time.process_time() - cpu,
        memory_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


def sources(chosen: Sequence[Mart]) -> list[TableSpec]:
    """The tables that the marts are made of."""
    names = {source for mart in chosen for source in mart.sources}
    return [table for table in MIRRORED if table.name in names]


@dataclass
class _Signals:
    """SIGTERM and SIGINT: they end a wait at once, and a turn when they come again."""

    waiting: bool = False
    ended: bool = field(default=False, init=False)

    def install(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)

    def _end(self, number: int, frame: FrameType | None) -> None:
        if self.waiting or self.ended:
            raise KeyboardInterrupt
        self.ended = True

    def wait(self, wait: Callable[[], bool]) -> bool:
        """Whether ``wait`` says to go on, and nobody said to end."""
        if self.ended:
            return False
        self.waiting = True
        try:
            return wait()
        finally:
            self.waiting = False


def _due(signals: _Signals, every: float) -> Iterator[None]:
    """Once every so many seconds, the first time at once."""
    due = time.monotonic()

    def wait() -> bool:
        time.sleep(max(0.0, due - time.monotonic()))
        return True

    while signals.wait(wait):
        yield
        due = max(due + every, time.monotonic())


def _asked(signals: _Signals) -> Iterator[None]:
    """Once for each line of standard input."""

    def wait() -> bool:
        select.select([sys.stdin], [], [])
        return bool(sys.stdin.readline())

    while signals.wait(wait):
        yield


class _Log:
    """The measurement table ``syncs``."""

    def __init__(self, store: Measurements, database: Database, scale: str) -> None:
        self._store, self._database, self._scale = store, database, scale
        self._begin()

    def _begin(self) -> None:
        self._run, self._rows = Run.of(self._database, str(uuid.uuid4()), self._scale), 0

    def append(self, turn: Turn) -> None:
        """Keep what a turn read, if it read something."""
        if self._rows >= LONGEST_RUN:
            self._begin()
        rows = [asdict(done) for done in turn.synced if done.mode != extraction.NONE]
        self._store.append("syncs", rows, run=self._run)
        self._rows += len(rows)


def _chosen(names: Sequence[str]) -> list[Mart]:
    known = {mart.name: mart for mart in marts.discovered()}
    if unknown := sorted(set(names) - known.keys()):
        raise LabError(f"there is no mart {unknown[0]!r}: name some of {', '.join(known)}")
    return [known[name] for name in names] or list(known.values())


@click.command()
@click.option("--every", type=click.FloatRange(0, 86_400), default=5.0, show_default=True,
              metavar="SECONDS", help="From the begin of a turn to the next.")  # fmt: skip
@click.option("--asked", is_flag=True, help="A turn for each line of standard input instead.")
@click.option("--mart", "names", multiple=True, help="A mart to keep fresh; without: everything.")
@click.option("--warehouse", "path", default="", metavar="PATH",
              help="Another DuckDB file than the lab's; its syncs are not stored.")  # fmt: skip
@click.option("--database", "sibling", metavar="NAME", help="Another database of the same server.")
def main(every: float, asked: bool, names: tuple[str, ...], path: str, sibling: str | None) -> None:
    """Keep a warehouse fresh until it is told to end."""
    os.nice(NICE)
    signals, current = _Signals(), settings.load()
    signals.install()
    chosen = _chosen(names)
    tables = sources(chosen) if names else MIRRORED
    database = servers.oltp(current)
    if sibling:
        database = database.sibling(sibling)
    warehouse = Warehouse(database=path)
    log = None if path else _Log(Measurements(current.measurements), database, current.scale)
    succeeded = False
    try:
        for _ in _asked(signals) if asked else _due(signals, every):
            try:
                turn = take_turn(warehouse, database, tables, chosen)
            except LabError as error:
                if asked or not succeeded:
                    raise
                click.echo(error.message, err=True)  # the next turn makes up for it
                continue
            succeeded = True
            click.echo(turn.as_json() if asked else str(turn))
            sys.stdout.flush()
            if log:
                log.append(turn)
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
