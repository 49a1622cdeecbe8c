"""The measurement store: Parquet files that are added to and never locked, read through DuckDB.

``TABLE/RUN_ID.parquet`` (or ``TABLE/RUN_ID.PART.parquet``) below one folder; a file appears whole
or not at all. Every row says which run, server, settings, scale and source revision it is from.
"""

import json
import os
import re
import subprocess
import uuid
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import psutil
import psycopg

from oltp_lab import sql
from oltp_lab.errors import LabError
from oltp_lab.servers import Database

MACROS = "measuring/load_runs.sql"
_MISSING = re.compile(
    r"Table with name (\S+) does not exist"
    r'|(?:Referenced column |does not have a column named )"(\w+)"'  # of older files
)
_UNDEFINED = re.compile(r"Function with name (\S+) does not exist")


@dataclass(frozen=True)
class Run:
    """What was measured where: stamped on every row."""

    run_id: str
    server_version: int
    settings: Mapping[str, str]
    scale: str
    git_revision: str | None

    @classmethod
    def of(cls, database: Database, run_id: str, scale: str) -> "Run":
        """The same of one of the lab's databases."""
        with database.connect(autocommit=True) as connection:
            return cls.at(connection, run_id, scale)

    @classmethod
    def at(cls, connection: psycopg.Connection, run_id: str, scale: str) -> "Run":
        """Collect the server's settings, this machine's size and the source revision."""
        server = connection.execute(sql.queries("measuring/server.sql")["settings"]).fetchall()
        machine = {
            "machine.cores": str(os.cpu_count()),
            "machine.memory_mb": str(psutil.virtual_memory().total // 2**20),
        }
        settings = dict(server) | machine
        return cls(run_id, connection.info.server_version, settings, scale, _git_revision())


class Measurements:
    """The tables below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def append(self, table: str, rows: Sequence[Mapping[str, Any]], *, run: Run) -> Path:
        """Add rows to the run's file of a table; without rows nothing is written.

        Raises LabError when the folder cannot be written.
        """
        path = self.folder / table / f"{run.run_id}.parquet"
        if rows:
            with duck() as connection:
                frame = pd.DataFrame(list(rows), dtype=object)  # object: None stays null
                connection.register("rows", frame)
                _write(connection, path, run)
        return path

    def keep(
        self, table: str, connection: duckdb.DuckDBPyConnection, *, run: Run, part: str
    ) -> Path:
        """Add the connection's relation ``rows`` (many of them) as a file of its own.

        Raises LabError when the folder cannot be written.
        """
        path = self.folder / table / f"{run.run_id}.{part}.parquet"
        _write(connection, path, run)
        return path

    def tables(self) -> list[str]:
        """Names of the tables that hold something."""
        return sorted({path.parent.name for path in self.folder.glob("*/*.parquet")})

    def read(
        self,
        query: str,
        parameters: Mapping[str, Any] | Sequence[Any] = (),
        *,
        since: datetime | None = None,
    ) -> pd.DataFrame:
        """The answer of a DuckDB query over the tables, one view each, and MACROS; times in UTC.

        ``since`` leaves out what was written before: a thousand files take a second to open.
        Raises LabError for a table that nothing was measured for.
        """
        with duck() as connection:
            for table in self._named(query, parameters):
                if files := self._files(table, since):
                    connection.read_parquet(files, union_by_name=True).create_view(table)
            lacking = _define(connection, query)
            try:
                return frame_of(connection.execute(query, parameters))
            except (duckdb.CatalogException, duckdb.BinderException) as error:
                if missing := _missing(error, lacking):
                    raise LabError(
                        f"there are no measurements {missing!r} in {self.folder}: "
                        "run the job `lab`, or set OLTP_LAB_HOME to where it ran"
                    ) from None
                raise

    def _files(self, table: str, since: datetime | None) -> list[str]:
        earliest = since.timestamp() if since else 0.0
        files = sorted((self.folder / table).glob("*.parquet"))
        return [str(file) for file in files if file.stat().st_mtime >= earliest]

    def _named(self, query: str, parameters: Mapping[str, Any] | Sequence[Any]) -> list[str]:
        """The tables that may be meant: opening all of them takes longer than most answers."""
        values = parameters.values() if isinstance(parameters, Mapping) else parameters
        words = set(
            re.findall(r"\w+", " ".join([query, *macros(query).values(), *map(str, values)]))
        )
        every = "information_schema" in words
        return [table for table in self.tables() if every or table in words]


def macros(query: str) -> dict[str, str]:
    """The MACROS that a query leans on, by name; each after those that it leans on itself."""
    found: dict[str, str] = {}
    for name, text in sql.queries(MACROS).items():
        if re.search(rf"\b{name}\(", query):
            found |= macros(text.partition(f"create macro {name}(")[2]) | {name: text}
    return found


def _define(connection: duckdb.DuckDBPyConnection, query: str) -> dict[str, str]:
    """Define macros; those that cannot be come back with the table, or column, that they lack."""
    lacking: dict[str, str] = {}
    for name, text in macros(query).items():
        try:
            connection.execute(text)
        except (duckdb.CatalogException, duckdb.BinderException) as error:
            if not (missing := _missing(error, lacking)):
                raise
            lacking[name] = missing
    return lacking


def _missing(error: duckdb.Error, lacking: Mapping[str, str]) -> str | None:
    """The table or column that is not there, also when it is a macro that lacks it."""
    if found := _MISSING.search(str(error)):
        return found[1] or found[2]
    macro = _UNDEFINED.search(str(error))
    return lacking.get(macro[1]) if macro else None


@contextmanager
def duck() -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB database of its own, in memory, gone at the end."""
    own = f"own_{uuid.uuid4().hex}"
    with _instance(os.getpid()).cursor() as connection:
        connection.execute(f"attach ':memory:' as {own}; use {own}")
        try:
            connection.execute("set timezone = 'UTC'")
            connection.execute("set pandas_analyze_sample = 1000000000")  # look at every row
            yield connection
        finally:
            connection.execute(f"use memory; detach {own}")


@cache
def _instance(_process: int) -> duckdb.DuckDBPyConnection:
    """One for each process: starting it takes longer than most answers."""
    return duckdb.connect(":memory:")


def frame_of(answer: duckdb.DuckDBPyConnection | duckdb.DuckDBPyRelation) -> pd.DataFrame:
    """An answer as a frame."""
    with warnings.catch_warnings():
        # DuckDB 1.5.5 converts times with a zone through a call that pandas 3 deprecates.
        warnings.simplefilter("ignore", DeprecationWarning)
        return answer.df()


def _write(connection: duckdb.DuckDBPyConnection, path: Path, run: Run) -> None:
    """Write ``rows``, after what the file held before, and put the file in place at once."""
    queries = sql.queries("measuring/store.sql")
    stamp = asdict(run) | {
        "settings": json.dumps(dict(run.settings), sort_keys=True),
        "recorded_at": datetime.now(UTC),
    }
    connection.register("stamp", pd.DataFrame([stamp], dtype=object))
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            connection.read_parquet(str(path)).create_view("earlier")
            connection.sql(queries["extended"]).write_parquet(str(draft))
        else:
            connection.sql(queries["stamped"]).write_parquet(str(draft))
        draft.replace(path)
    except (OSError, duckdb.IOException) as error:
        reason = str(error).splitlines()[0]
        raise LabError(
            f"cannot write measurements to {path.parent} ({reason}): free some space there, "
            "or set OLTP_LAB_HOME to a folder that can be written"
        ) from None
    finally:
        with suppress(OSError):
            draft.unlink()


def _git_revision() -> str | None:
    """``git describe`` of the source tree, None outside of one."""
    root = sql.ROOT.parent
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
