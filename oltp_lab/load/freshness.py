"""What fresh figures cost the OLTP: each way of having them, in turns with none, beside one load.

One open loop runs all the time, at a rate below saturation. Beside it each way works for a stretch,
and so do two that do nothing (A against A); their order changes with every turn. Transactions
belong to the stretch that they were due in. Percentiles are of pooled transactions; an interval is
over turns. What comes of it is reckoned in ``freshness_costs``.
"""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import psycopg

from oltp_lab import sql
from oltp_lab.errors import LabError
from oltp_lab.load import beside, execution, freshness_costs
from oltp_lab.load.beside import Worker
from oltp_lab.load.evidence import gather
from oltp_lab.load.freshness_costs import FOLDER, NAME, Experiment, Way, queries
from oltp_lab.measuring import scratch
from oltp_lab.measuring.loads import measure
from oltp_lab.measuring.pgbench import Driven
from oltp_lab.measuring.store import Measurements, Run
from oltp_lab.servers import Database

_SPENT = ("server_s", "blocks", "wal_bytes")
_EXPLAINED = 25
"""Draws whose plans are looked at."""


def execute(
    database: Database, experiment: Experiment, store: Measurements, run: Run
) -> list[dict[str, Any]]:
    """Run it, store ``freshness`` and what it is reckoned from, and return the former's rows.

    Raises LabError when the load or what is beside it breaks, and when no whole turn has fit.
    """
    workload = experiment.workload
    with (
        scratch.exclusively(database, NAME, run),
        scratch.made(database, tenants=workload.tenants, targets=workload.targets) as maker,
        execution.on_slice(database, workload, run, maker),
        TemporaryDirectory(prefix="oltp_lab-", dir=database.server.settings.home) as folder,
        ExitStack() as stack,
    ):
        variables = {**workload.sizes, **scratch.define_lookups(maker)}
        workers = {
            name: stack.enter_context(_worker(database, name, way, variables, Path(folder)))
            for name, way in experiment.ways.items()
        }
        turns = _Turns(database, experiment, workers)
        turns.warm_up()
        scratch.checkpoint(maker)
        driven = Driven(enough=lambda: turns.whole >= experiment.turns)
        with turns.taken_beside(driven):
            outcome = measure(database, experiment.load(variables), store, run, driven)
        if outcome.failure:
            raise LabError(f"{NAME} broke: {outcome.failure}")
        turns.store(store, run)
        known = _without_load(database, experiment, workers, variables, Path(folder))
    rows = freshness_costs.rows(experiment, store, run, known)
    store.append(NAME, rows, run=run)
    return rows


@contextmanager
def _worker(
    database: Database,
    name: str,
    way: Way,
    variables: Mapping[str, int | float],
    folder: Path,
) -> Iterator[Worker]:
    if way.script:
        with beside.asking(database, way.role, _file(way), variables) as asking:
            yield asking
        return
    where = ["--database", database.name, "--warehouse", str(_warehouse(folder, name))]
    with beside.commanding(database, [*(way.command or ()), *where]) as command:
        yield command


def _file(way: Way) -> str:
    return f"{FOLDER}/{way.script}.sql"


def _warehouse(folder: Path, name: str) -> Path:
    return folder / f"{name}.duckdb"


class _Turns:
    """Takes turns with the ways, and keeps what they did."""

    def __init__(
        self, database: Database, experiment: Experiment, workers: Mapping[str, Worker]
    ) -> None:
        self._database, self._experiment, self._workers = database, experiment, workers
        self.whole = 0
        self._stretches: list[dict[str, Any]] = []
        self._pieces: list[dict[str, Any]] = []
        self._error: BaseException | None = None
        self._ended = threading.Event()

    def warm_up(self) -> None:
        """A first piece of each: it fills the warehouse."""
        for name, worker in self._workers.items():
            self._keep(0, name, worker.work())

    @contextmanager
    def taken_beside(self, driven: Driven) -> Iterator[None]:
        """Take turns in a thread from when the load is measured to the end of the block.

        Raises what went wrong with a way.
        """
        thread = threading.Thread(target=self._take, args=(driven,), name="turns")
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()
        if self._error:
            raise self._error

    def _take(self, driven: Driven) -> None:
        try:
            while not driven.began and not self._ended.wait(0.02):
                pass
            with self._database.connect(autocommit=True) as administrator:
                names = self._experiment.names
                for turn in count(1):
                    for place in range(len(names)):
                        if self._ended.is_set() or driven.ended:
                            return
                        self._stretch(administrator, turn, names[(turn + place) % len(names)])
        except Exception as error:  # noqa: BLE001 - raised again by who waits for the thread
            self._error = error

    def _stretch(self, administrator: psycopg.Connection, turn: int, name: str) -> None:
        """Work for a while; a piece that is begun is ended."""
        way = self._experiment.ways.get(name)  # or nothing
        before = _spent(administrator, way)
        time.sleep(self._experiment.settle)
        self.whole = turn - 1  # and what was due in the last stretch of it has ended
        began = time.time()
        due, end = began, began + self._experiment.stretch
        while way and due < end and not self._ended.is_set():
            self._keep(turn, name, self._workers[name].work())
            due = max(due + way.every, time.time())
            time.sleep(max(0.0, min(due, end) - time.time()))
        time.sleep(max(0.0, end - time.time()))
        stretch = {"turn": turn, "way": name, "began": _at(began), "ended": _at(time.time())}
        after = _spent(administrator, way)
        spent = {key: after[key] - before[key] if key in before else None for key in _SPENT}
        self._stretches.append(stretch | spent)

    def _keep(self, turn: int, name: str, piece: dict[str, Any]) -> None:
        times = {key: _at(piece[key]) for key in ("began", "snapshot_at", "ended")}
        others = {key: piece.get(key) for key in ("rows", "cpu_s", "memory_mb")}
        self._pieces.append({"turn": turn, "way": name, **times, **others})

    def store(self, store: Measurements, run: Run) -> None:
        """Keep stretches and pieces, by their turns; the pieces of turn 0 are the warm-up."""
        store.append("freshness_stretches", self._stretches, run=run)
        store.append("freshness_pieces", self._pieces, run=run)


def _at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _spent(administrator: psycopg.Connection, way: Way | None) -> dict[str, float]:
    """What a command's statements have cost the server so far; nothing where it cannot be read."""
    if way is None or way.script:
        return {}
    try:
        row = administrator.execute(queries()["spent"], {"role": way.role}).fetchone()
    except psycopg.errors.UndefinedTable:  # pg_stat_statements is not installed
        return {}
    return dict(zip(_SPENT, row or (), strict=True))


def _without_load(
    database: Database,
    experiment: Experiment,
    workers: Mapping[str, Worker],
    variables: Mapping[str, int | float],
    folder: Path,
) -> dict[str, dict[str, Any]]:
    """By way, what needs no load: blocks a call, and for the report the same of the warehouse."""
    found: dict[str, dict[str, Any]] = {}
    draws = [{"person": n} for n in range(1, 1 + min(int(variables["leads"]), _EXPLAINED))]
    for name, way in experiment.ways.items():
        if way.script:
            evidence = gather(database, way.role, sql.path(_file(way)), draws)
            found[name] = {"blocks": evidence.blocks_per_call}
    if "report" in found:
        found["report"] |= _on_the_mart(database, experiment, workers, folder)
    return found


def _on_the_mart(
    database: Database, experiment: Experiment, workers: Mapping[str, Worker], folder: Path
) -> dict[str, Any]:
    """Seconds of the report on the mart (median of seven), and whether it answers the same."""
    syncing = next(name for name, way in experiment.ways.items() if way.command)
    workers[syncing].work()  # what came since its last turn
    asking = workers["report"]
    assert isinstance(asking, beside.Asking)
    with database.connect(experiment.ways["report"].role) as connection:
        theirs = connection.execute(asking.script.statements[-1]).fetchall()
    took = []
    ours = None
    with duckdb.connect(_warehouse(folder, syncing), read_only=True) as warehouse:
        for _ in range(7):
            began = time.perf_counter()
            ours = warehouse.execute(queries()["mart"]).fetchall()
            took.append(time.perf_counter() - began)
    return {"mart_s": median(took), "mart_equals": ours == theirs}
