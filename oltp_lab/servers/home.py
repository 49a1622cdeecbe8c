"""The folder ``OLTP_LAB_HOME``: may the lab use it, and is there room?"""

import os
import shutil
import tempfile
from pathlib import Path

from oltp_lab.errors import LabError
from oltp_lab.settings import Settings

ROOM_MB = 1024
"""Free space asked for: both clusters with their first WAL, and the sample data."""

_MADE = (
    "oltp", "neighbours", "throwaway", "dagster", "processes", "locks", "measurements", "report",
    "exports", "warehouse.duckdb", "warehouse.duckdb.wal", "warehouse.duckdb.tmp",
    "credentials.json",
)  # fmt: skip


def check(settings: Settings) -> None:
    """Make the folder if it is missing.

    Raises LabError when it is no folder, cannot be written, or its disk is full.
    """
    home = settings.home
    try:
        existing = next(p for p in (home, *home.parents) if p.exists() or p.is_symlink())
        if not existing.is_dir():
            raise LabError(f"{existing} is not a folder: set OLTP_LAB_HOME to a folder")
        free = shutil.disk_usage(existing).free // 2**20
        if free < ROOM_MB:
            raise LabError(
                f"only {free} MB are free at {existing}, the lab needs {ROOM_MB}: "
                f"free some space or set OLTP_LAB_HOME to a folder on another disk"
            )
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home):
            pass
    except OSError as error:
        raise LabError(
            f"cannot write in {home} ({os.strerror(error.errno or 0)}): "
            f"set OLTP_LAB_HOME to a folder that you may write in"
        ) from None


def check_warehouse(settings: Settings) -> None:
    """Asked before a run, lest it find out after its load.

    Raises LabError when the file in the warehouse's place cannot be opened or is no DuckDB file.
    """
    path = settings.warehouse
    if not path.is_file():
        return
    try:
        with path.open("rb") as file:
            header = file.read(12)
    except OSError as error:
        raise LabError(
            f"the warehouse {path} cannot be opened ({os.strerror(error.errno or 0)}): "
            "change that, or set OLTP_LAB_HOME to another folder"
        ) from None
    if header and header[8:] != b"DUCK":
        raise LabError(
            f"the warehouse {path} is not a DuckDB file: move it away, "
            "or set OLTP_LAB_HOME to another folder"
        )


def remove(settings: Settings) -> list[Path]:
    """Remove what the lab made; returns what is left in the folder because it is not the lab's."""
    for name in _MADE:
        path = settings.home / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    if not settings.home.is_dir():
        return []
    left = sorted(settings.home.iterdir())
    if not left:
        settings.home.rmdir()
    return left
