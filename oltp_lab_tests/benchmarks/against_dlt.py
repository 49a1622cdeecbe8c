"""Reading the sample data's biggest table into DuckDB, against dlt's ``sql_database``.

Both make a warehouse with this one table; dlt does so in a process of its own, of which imports are
not counted. ``detail`` says what DuckDB alone would reach, which is the limit. Without dlt there
are no rows: it comes with ``pip install -e '.[bench]'``.
"""

import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import duckdb

from oltp_lab import settings
from oltp_lab.sample_data import load
from oltp_lab.servers import Database
from oltp_lab.warehouse.tables import READER, TableSpec, describe
from oltp_lab_tests.benchmarks._scratch import scratch
from oltp_lab_tests.benchmarks.extract import bare, synced_anew

EVENTS = TableSpec("campaigns", "events")
BACKENDS = {"connectorx": ">= 20", "pyarrow": ">= 20"}
"""The fastest one and the next; that by rows of Python takes ten times as long."""
_LIMIT_S = 600

Turn = tuple[float, float, float]
"""Seconds of ours, of dlt and of DuckDB alone."""


def measure_against_dlt(rounds: int = 3) -> list[dict[str, Any]]:
    """Rows per second, both sides in turns; the ratio is the median of the turns' ratios."""
    if importlib.util.find_spec("dlt") is None:
        told = "extract_dlt: dlt is not installed, run: python -m pip install -c constraints.txt"
        print(f"{told} -e '.[bench]'", file=sys.stderr)
        return []
    current = settings.load()
    with scratch(current) as database, tempfile.TemporaryDirectory(dir=current.home) as name:
        load.ensure(database, current.scale, seed=1)
        folder, descriptions = Path(name), describe(database, [EVENTS])
        rows = synced_anew(folder / "ours.duckdb", database, descriptions)[0]
        turns: dict[str, list[Turn]] = {backend: [] for backend in BACKENDS}
        for _ in range(rounds):
            for backend, taken in turns.items():
                _, ours = synced_anew(folder / "ours.duckdb", database, descriptions)
                alone = bare(folder / "bare.duckdb", database, descriptions)
                taken.append((ours, _by_dlt(backend, folder, database, rows), alone))
    return [
        _row(f"{backend}, {current.scale}", rows, taken, BACKENDS[backend])
        for backend, taken in turns.items()
    ]


def _by_dlt(backend: str, folder: Path, database: Database, rows: int) -> float:
    """Seconds."""
    file = folder / "dlt.duckdb"
    file.unlink(missing_ok=True)
    command = [
        sys.executable,
        "-m",
        "oltp_lab_tests.benchmarks._dlt",
        backend,
        EVENTS.label,
        str(file),
    ]
    environment = {"RUNTIME__DLTHUB_TELEMETRY": "false", "DLT_DATA_DIR": str(folder)}
    ran = subprocess.run(
        command,
        input="\n".join(_urls(database)),
        env={**os.environ, **environment},
        timeout=_LIMIT_S,
        check=True,
        capture_output=True,
        text=True,
    )
    with duckdb.connect(file, read_only=True) as connection:
        (loaded,) = connection.execute("select count(*) from staging.events").fetchone() or (0,)
    assert loaded == rows, f"{loaded} rows instead of {rows}"
    return float(ran.stdout.split()[-1])


def _urls(database: Database) -> tuple[str, str]:
    """For SQLAlchemy and for connectorx, of a server on a socket or a host."""
    options = database.options(READER)
    login = f"{quote(options['user'])}:{quote(options['password'], safe='')}"
    host, port, name = options["host"], options.get("port", "5432"), options["dbname"]
    query = urlencode({"host": host, "port": port})
    return (
        f"postgresql+psycopg://{login}@/{name}?{query}",
        f"postgresql://{login}@{quote(host, safe='')}:{port}/{name}",
    )


def _row(told: str, rows: int, turns: list[Turn], goal: str) -> dict[str, Any]:
    ours, reference, _ = (statistics.median(seconds) for seconds in zip(*turns, strict=True))
    limit = statistics.median(theirs / alone for _, theirs, alone in turns)
    return {
        "name": f"extract_dlt ({told}), rows/s",
        "ours": round(rows / ours),
        "reference": round(rows / reference),
        "ratio": statistics.median(theirs / own for own, theirs, _ in turns),
        "goal": goal,
        "detail": f"{rows} rows; DuckDB alone would have {limit:.1f}; seconds "
        + "; ".join(f"{a:.2f} against {b:.2f}" for a, b, _ in turns),
    }
