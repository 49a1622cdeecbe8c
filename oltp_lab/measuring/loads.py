"""A load run from beginning to end: driven, figured out from its raw logs, and stored."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from oltp_lab import sql
from oltp_lab.errors import LabError
from oltp_lab.measuring import calibration
from oltp_lab.measuring.pgbench import Driven, Load, drive
from oltp_lab.measuring.store import Measurements, Run, duck
from oltp_lab.servers import Database

_QUERIES = "measuring/transactions.sql"
_LINE = {
    "client": "integer",
    "transaction": "bigint",
    "latency": "varchar",  # or what it failed of
    "script": "integer",
    "epoch_s": "bigint",
    "epoch_us": "bigint",
    "extra_1": "bigint",  # schedule lag and retries, or retries alone
    "extra_2": "bigint",
    "checkout": "bigint",  # only of a ``pooled`` client, as is the tenant
    "tenant": "integer",
}
BUSIEST = 70.0
"""Percent of a core: beyond it a client written in Python measures itself."""


@dataclass(frozen=True)
class Outcome:
    """The row of ``load_runs`` and those of ``load_operations``, without what names the arm."""

    arm: str
    run: dict[str, Any]
    operations: list[dict[str, Any]]

    @property
    def failure(self) -> str | None:
        """Why the run broke, None when it is complete or was left out."""
        return self.run["failure"]

    def __str__(self) -> str:
        if self.run["skipped"]:
            return f"{self.arm}: left out, {self.run['skipped']}"
        if self.run["void"]:
            return f"{self.arm}: void, {self.run['void']}"
        tps = self.run["tps"] or 0.0
        said = f"{self.arm}: {self.run['transactions']:,} transactions, {tps:,.0f}/s"
        return f"{said}; BROKEN: {self.failure}" if self.failure else said


def measure(
    database: Database, load: Load, store: Measurements, run: Run, driven: Driven | None = None
) -> Outcome:
    """Put a load on the database and store all that was seen, also of a run that broke.

    Who gives a new ``driven`` can follow it meanwhile from another thread.

    Written are load_runs, load_operations, transactions, resource_samples, wait_samples,
    pool_samples, server_counters and statements. A broken run is not ``complete``, and has a
    ``failure``; its figures are of what it did until then. So is one that is cancelled, before the
    exception goes its way.
    Raises LabError for sessions that do not fit, before anything is started.
    """
    driven = driven or Driven()
    with tempfile.TemporaryDirectory(prefix="oltp_lab-") as folder:
        log = Path(folder) / "log"
        _calibrate(database, load, driven)
        try:
            drive(database, load, log, driven)
        except BaseException as error:
            if driven.started:
                driven.failure = f"{load.arm}: {_told(error)}"
                _stored(load, driven, log, store, run)
            raise
        return _stored(load, driven, log, store, run)


def _calibrate(database: Database, load: Load, driven: Driven) -> None:
    """See how fast the server is just now, if so short a load is worth the time."""
    if load.seconds >= calibration.SHORTEST:
        try:
            driven.calibration_tps = calibration.measure(database)
        except LabError as error:  # only comparisons with other days want it
            driven.samples.skipped.append(error.message)


def _told(error: BaseException) -> str:
    """In words: what is no error ended the run from outside."""
    return str(error) if isinstance(error, Exception) else "cancelled"


def _stored(load: Load, driven: Driven, log: Path, store: Measurements, run: Run) -> Outcome:
    """Figure it out from its raw logs, and store it."""
    with duck() as db:
        _read_log(db, load, driven, log)
        operations = _operations(db, load)
        row = _run_row(load, driven, operations)
        row |= _rows(db, sql.queries(_QUERIES)["checkouts"], {})[0]
        store.keep("transactions", db, run=run, part=f"{load.workload}-{load.arm}")
    if row["void"]:
        figures = {name for name in row if name.endswith("_ms")} | {"tps"}
        row |= dict.fromkeys(figures)
        operations = [
            {name: None if name.endswith("_ms") else value for name, value in operation.items()}
            for operation in operations
        ]
    outcome = Outcome(load.arm, row, operations)
    rows = {"load_runs": [outcome.run], "load_operations": operations, **driven.samples.tables()}
    for table, these in rows.items():
        store.append(table, [_named(load) | row for row in these], run=run)
    return outcome


def leave_out(load: Load, reason: str, store: Measurements, run: Run) -> Outcome:
    """Store that an arm did not run, and why."""
    row = dict.fromkeys(_run_row(load, Driven(), [])) | {
        "through": load.through,
        "pool": load.pool,
        "transactions": 0,
        "failed": 0,
        "aborted": 0,
        "skipped": reason,
    }
    store.append("load_runs", [_named(load) | row], run=run)
    return Outcome(load.arm, row, [])


def _named(load: Load) -> dict[str, Any]:
    return {"workload": load.workload, "arm": load.arm, "sessions": load.sessions}


def _read_log(db: duckdb.DuckDBPyConnection, load: Load, driven: Driven, log: Path) -> None:
    """Make the relation ``rows`` of the transactions that ended in the measured window."""
    queries = sql.queries(_QUERIES)
    db.execute(queries["ended"])
    db.execute(queries["load"], _named(load))
    db.execute(queries["rows"])
    first_client = 0
    for number, part in enumerate(load.parts()):
        log.with_suffix(f".{number}.none").touch()  # pgbench leaves no log when it cannot connect
        db.read_csv(
            f"{log}.{number}.*",
            sep=" ",
            header=False,
            columns=_LINE,
            auto_detect=False,
            null_padding=True,
            strict_mode=False,
        ).create_view("lines")
        db.execute(
            queries["transactions"],
            {
                "operations": [script.operation for script in part.scripts],
                "first_client": first_client,
                "scheduled": load.rate is not None,
                "began_us": round(1e6 * driven.began),
                "ended_us": round(1e6 * driven.ended),
            },
        )
        first_client += part.sessions


def _operations(db: duckdb.DuckDBPyConnection, load: Load) -> list[dict[str, Any]]:
    names = list(dict.fromkeys(script.operation for script in load.scripts))
    return _rows(
        db,
        sql.queries(_QUERIES)["operations"],
        {"operations": names, "latency_limit_ms": load.latency_limit_ms},
    )


def _rows(db: duckdb.DuckDBPyConnection, query: str, asked: dict[str, Any]) -> list[dict[str, Any]]:
    answer = db.execute(query, asked)
    columns = [column for column, *_ in answer.description or ()]
    return [dict(zip(columns, row, strict=True)) for row in answer.fetchall()]


def _run_row(load: Load, driven: Driven, operations: list[dict[str, Any]]) -> dict[str, Any]:
    seconds = driven.ended - driven.began
    calls = sum(row["calls"] for row in operations)
    failure = driven.failure
    if failure is None and calls == 0:
        failure = f"{load.arm}: not one transaction ended in {seconds:.1f} s"
    return {
        "through": load.through,
        "pool": load.pool,
        "seconds": seconds,
        "warmup_seconds": load.warmup,
        "offered_tps": load.rate,
        "calibration_tps": driven.calibration_tps,
        "transactions": calls,
        "tps": calls / seconds if seconds else None,
        "failed": sum(row["failures"] for row in operations),
        "aborted": driven.aborted,
        "complete": failure is None,
        "failure": failure,
        "not_sampled": "; ".join(driven.samples.skipped) or None,
        "skipped": None,
        "void": _void(load, driven),
    }


def _void(load: Load, driven: Driven) -> str | None:
    """Why the figures are of the client instead of the server, None when they are not."""
    samples = [row["client_cpu_percent"] for row in driven.samples.resource_samples]
    if load.through != "psycopg_pool" or not samples:
        return None
    busy = sum(samples) / len(samples) / len(load.parts())
    if busy <= BUSIEST:
        return None
    return f"the client used {busy:.0f} % of a core, more than {BUSIEST:.0f} %: offer a lower rate"
