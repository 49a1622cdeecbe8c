"""Making the sample data, against a bare COPY of the same rows into tables of the same kind."""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from psycopg import sql as pg

from oltp_lab import catalog, settings
from oltp_lab.sample_data import load
from oltp_lab.servers import Database
from oltp_lab_tests.benchmarks._scratch import scratch

GOAL = 0.5
_CHUNK = 2**20
_WRITABLE = """
select column_name from information_schema.columns
where table_schema = %s and table_name = %s and is_generated = 'NEVER' order by ordinal_position
"""


def measure(rounds: int = 3) -> list[dict[str, Any]]:
    """Rows per second of both at the scale of the settings, medians of alternating rounds.

    ``ours`` is all of ``load.ensure`` until its commit; ``reference`` the administrator's COPY of
    files that lie ready, until its commit. Indexes, constraints and triggers are the same.
    """
    current = settings.load()
    ours: list[float] = []
    reference: list[float] = []
    with (
        scratch(current) as made,
        scratch(current) as copied,
        tempfile.TemporaryDirectory() as folder,
    ):
        _make(made, current.scale)
        rows = _export(made, Path(folder))
        for _ in range(rounds):
            ours.append(_make(made, current.scale))
            reference.append(_copy(copied, Path(folder)))
    per_second = [rows / statistics.median(seconds) for seconds in (ours, reference)]
    return [
        {
            "name": f"sample_data ({current.scale}), rows/s",
            "ours": round(per_second[0]),
            "reference": round(per_second[1]),
            "ratio": per_second[0] / per_second[1],
            "goal": f">= {GOAL}",
            "detail": f"{rows} rows; seconds of ours {_told(ours)}, of COPY {_told(reference)}",
        }
    ]


def _make(database: Database, scale: str) -> float:
    with database.connect(autocommit=True) as connection:
        connection.execute("delete from lab.builds where part = 'sample_data'")
        connection.execute("checkpoint")
    return load.ensure(database, scale, seed=1).seconds


def _export(database: Database, folder: Path) -> int:
    """Write every table's rows to a file; returns how many there are."""
    rows = 0
    with database.connect() as connection, connection.cursor() as cursor:
        for table in catalog.tables():
            columns = [pg.Identifier(name) for (name,) in cursor.execute(_WRITABLE, table)]
            statement = pg.SQL("copy {} ({}) to stdout (format binary)")
            with (
                (folder / ".".join(table)).open("wb") as file,
                cursor.copy(
                    statement.format(pg.Identifier(*table), pg.SQL(", ").join(columns))
                ) as copy,
            ):
                for data in copy:
                    file.write(data)
            rows += cursor.rowcount
    return rows


def _copy(database: Database, folder: Path) -> float:
    tables = [pg.Identifier(*table) for table in catalog.tables()]
    with database.connect(autocommit=True) as connection:
        connection.execute(pg.SQL("truncate {}").format(pg.SQL(", ").join(tables)))
        connection.execute("checkpoint")
    began = time.monotonic()
    with database.connect() as connection, connection.cursor() as cursor:
        for table in catalog.tables():
            columns = [pg.Identifier(name) for (name,) in cursor.execute(_WRITABLE, table)]
            statement = pg.SQL("copy {} ({}) from stdin (format binary)").format(
                pg.Identifier(*table), pg.SQL(", ").join(columns)
            )
            with (folder / ".".join(table)).open("rb") as file, cursor.copy(statement) as copy:
                while data := file.read(_CHUNK):
                    copy.write(data)
    return time.monotonic() - began


def _told(seconds: list[float]) -> str:
    return " ".join(f"{value:.1f}" for value in seconds)
