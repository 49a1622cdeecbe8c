"""The analytics warehouse: one DuckDB file, opened briefly, with one writer at a time.

By the name ``md:NAME`` it is a database of MotherDuck's instead, which sees to its own locks: that
goes through the same setting and is untested, as it takes an account there.
"""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
from dagster_duckdb import DuckDBResource
from pydantic import Field

from oltp_lab import settings
from oltp_lab.errors import LabError
from oltp_lab.resources.shown import shown
from oltp_lab.servers import home, locks

_ELSEWHERE = "or set OLTP_LAB_HOME to another folder"
_CAUSES = (
    # A file of another kind, such as SQLite's, makes DuckDB look for the extension that reads it.
    (r"not a valid DuckDB|Install it first", f"is not a DuckDB file: move it away, {_ELSEWHERE}"),
    (
        r"lock is held in (?P<program>.+) \(PID (?P<pid>\d+)\)",
        f"is in use by process {{pid}} ({{program}}): end it, {_ELSEWHERE}",
    ),
    (
        r"newer version of DuckDB",
        f"was made by a newer DuckDB than {duckdb.__version__}: use that one, {_ELSEWHERE}",
    ),
    (
        r"Corrupt database file",
        "is damaged: remove it, the next sync loads everything again, or set OLTP_LAB_HOME to "
        "another folder",
    ),
    (
        # The latter where DuckDB itself finds that what it spills does not fit.
        r"Could not write.*(No space left on device|Disk quota exceeded|File too large)"
        r"|failed to offload data block",
        "cannot be written, its disk is full: free some space or set OLTP_LAB_HOME to a folder "
        "on another disk",
    ),
    (
        r"(?P<reason>Permission denied|Is a directory|Read-only file system)",
        f"cannot be opened ({{reason}}): change that, {_ELSEWHERE}",
    ),
)
_HELD = re.compile(_CAUSES[1][0])


class Warehouse(DuckDBResource):
    """The warehouse of this lab home."""

    database: str = Field(
        default="",
        description="Path of the DuckDB file, or md:NAME for a database of MotherDuck's (untested; "
        "the token is in the environment, motherduck_token). Empty takes OLTP_LAB_WAREHOUSE, or "
        "warehouse.duckdb in OLTP_LAB_HOME.",
    )
    timeout: float = Field(
        default=60, ge=0, le=3600, description="Seconds to wait while somebody else has it open."
    )
    connection_config: dict[str, Any] = Field(
        default={
            "memory_limit": "180MB",  # beyond it DuckDB spills to disk; with Dagster below 500 MB
            "checkpoint_threshold": "1GB",  # closing writes a checkpoint; one at commit is wasted
            "autoinstall_known_extensions": "false",  # nothing is fetched behind the user's back
        },
        description="DuckDB settings of every connection.",
    )

    @contextmanager
    def open(
        self, *, read_only: bool = False, holder: str = "the lab"
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection that is closed whatever happens; ``holder`` is whom others are shown.

        Raises LabError when the file or its folder will not do, when somebody else has it open for
        longer than ``timeout`` seconds, and when its disk is full.
        """
        with shown(), self._open(read_only, holder) as connection:
            yield connection

    @contextmanager
    def _open(self, read_only: bool, holder: str) -> Iterator[duckdb.DuckDBPyConnection]:
        current = settings.load()
        place = self.database or current.motherduck or str(current.warehouse)
        if place.startswith("md:"):
            with self._hosted(place, has_token=current.has_motherduck_token) as connection:
                yield connection
            return
        path = Path(place)
        if read_only:
            if not path.exists():
                raise LabError(
                    f"there is no warehouse {path} yet: run the job `lab`, or set OLTP_LAB_HOME "
                    "to where it ran"
                )
            with self._connected(path, read_only=True) as connection:
                yield connection
            return
        home.check(current)
        with locks.held(current, "warehouse", holder=holder, timeout=self.timeout):
            if not path.exists():
                _create(path)
            with self._connected(path, read_only=False) as connection:
                yield connection

    @contextmanager
    def get_connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """``open`` under the name DuckDBResource has for it (whose own leaks after an error)."""
        with self.open() as connection:
            yield connection

    @contextmanager
    def _connected(self, path: Path, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        try:
            connection = self._connect(path, time.monotonic() + self.timeout, read_only=read_only)
            try:
                connection.execute("set timezone = 'UTC'")
                yield connection
            finally:
                connection.close()
        except duckdb.Error as error:
            if sentence := _explained(path, str(error)):
                raise LabError(sentence) from None
            raise

    @contextmanager
    def _hosted(self, name: str, *, has_token: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        """A database of MotherDuck's. It cannot be opened for reading alone."""
        other = "or set OLTP_LAB_WAREHOUSE to a file"
        if not has_token:  # its extension would open a browser and wait
            raise LabError(
                f"the warehouse {name} is MotherDuck's: set motherduck_token to a token, {other}"
            )
        allowed = {"autoinstall_known_extensions": "true"}  # by its name it was asked for
        try:
            connection = duckdb.connect(name, config={**self.connection_config, **allowed})
        except duckdb.Error as error:
            reason = str(error).splitlines()[0]
            raise LabError(
                f"the warehouse {name} cannot be opened ({reason}): see that MotherDuck can be "
                f"reached and knows motherduck_token, install its extension for DuckDB "
                f"{duckdb.__version__}, {other}"
            ) from None
        try:
            connection.execute("set timezone = 'UTC'")
            yield connection
        finally:
            connection.close()

    def _connect(
        self, path: Path, deadline: float, *, read_only: bool
    ) -> duckdb.DuckDBPyConnection:
        """Open the file; another process that has it open is waited for until the deadline."""
        while True:
            try:
                return duckdb.connect(path, read_only=read_only, config=self.connection_config)
            except duckdb.IOException as error:
                if not _HELD.search(str(error)) or time.monotonic() >= deadline:
                    raise
                time.sleep(0.05)


def _create(path: Path) -> None:
    """An empty database that appears whole: a killed process must not leave half a file."""
    spill = path.with_name(f"{path.name}.tmp")  # DuckDB's own folder beside the file
    spill.mkdir(exist_ok=True)
    draft = spill / "new.duckdb"
    draft.unlink(missing_ok=True)
    duckdb.connect(draft).close()
    draft.replace(path)


def _explained(path: Path, message: str) -> str | None:
    """The sentence for an error that its user can mend."""
    for pattern, sentence in _CAUSES:
        if found := re.search(pattern, message):
            return f"the warehouse {path} " + sentence.format(**found.groupdict())
    return None
