"""The most memory that a sync takes and its seconds, of sample data at the scale of the settings.

Each is a process of its own, in which Dagster is loaded too: reading all and building every mart,
then a sync and refresh after 1,000 changes, then reading and building all anew.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from oltp_lab import settings
from oltp_lab.sample_data import load
from oltp_lab.servers import Database
from oltp_lab_tests.benchmarks._scratch import scratch
from oltp_lab_tests.benchmarks.marts import CHANGES, change

LIMIT_MB = 500
_LIMIT_S = 3600


def measure_sync_memory() -> list[dict[str, Any]]:
    """Megabytes, DuckDB, Python and Dagster together."""
    current = settings.load()
    with scratch(current) as database, tempfile.TemporaryDirectory(dir=current.home) as folder:
        load.ensure(database, current.scale, seed=1)
        file = Path(folder) / "measured.duckdb"
        first = _run(database, file)
        change(database, CHANGES, turn=0)
        taken = {"first": first, "increment": _run(database, file)}
        taken["full refresh"] = _run(database, file, "full_refresh")
    return [_row(f"{name}, {current.scale}", measured) for name, measured in taken.items()]


def _run(database: Database, file: Path, *options: str) -> dict[str, float]:
    command = [sys.executable, "-m", "oltp_lab_tests.benchmarks._synced", database.name, str(file)]
    ran = subprocess.run(
        [*command, *options], timeout=_LIMIT_S, check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(ran.stdout.splitlines()[-1])


def _row(told: str, measured: dict[str, float]) -> dict[str, Any]:
    return {
        "name": f"sync_memory ({told}), MB",
        "ours": round(measured["peak_mb"]),
        "reference": LIMIT_MB,
        "ratio": measured["peak_mb"] / LIMIT_MB,
        "goal": "<= 1",
        "detail": f"{measured['rows']:.0f} rows; before anything was opened "
        f"{measured['loaded_mb']:.0f} MB, "
        f"after the sync {measured['sync_peak_mb']:.0f} MB; seconds: "
        f"sync {measured['sync_s']:.1f}, marts {measured['refresh_s']:.1f}, "
        f"closing {measured['close_s']:.1f}",
    }
