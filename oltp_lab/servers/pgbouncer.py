"""PgBouncer in transaction mode before a database, where one is installed: it lives for a block.

It listens on a socket in a closed folder of its own, and logs in to the server by itself.
"""

import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from oltp_lab import sql
from oltp_lab.errors import LabError
from oltp_lab.servers import processes
from oltp_lab.servers.database import Database
from oltp_lab.servers.unprivileged import Account

START_LIMIT = 10.0
"""Seconds until it answers."""
_PORT = "6432"  # the name of the socket
_SPARE_CLIENTS = 10  # who asks it for its figures
_SPARE_FILES = 128
_PREPARES = (1, 21)  # the first version that keeps statements prepared across its sessions


CONSOLE = "pgbouncer"
"""The pool that answers ``show pools`` and ``show stats``, by the simple protocol."""


@dataclass(frozen=True)
class Pool:
    """So many sessions of a role on the database."""

    role: str
    size: int


@dataclass(frozen=True)
class Bouncer:
    """A running PgBouncer; ``prepares`` says whether it carries prepared statements."""

    folder: Path
    prepares: bool

    def conninfo(self, pool: str) -> str:
        """libpq's connection string for one of its pools."""
        return make_conninfo(
            "", host=str(self.folder), port=_PORT, dbname=pool, user="anybody", connect_timeout=10
        )

    def environment(self, pool: str) -> dict[str, str]:
        """The same as ``PG*`` variables, for child processes."""
        return {
            "PGHOST": str(self.folder),
            "PGPORT": _PORT,
            "PGDATABASE": pool,
            "PGUSER": "anybody",
        }


def program() -> str | None:
    """The path of PgBouncer, None where none is on PATH."""
    return shutil.which("pgbouncer")


@contextmanager
def running(
    database: Database, pools: Mapping[str, Pool], *, limit: float, clients: int = 1000
) -> Iterator[Bouncer]:
    """Pools by name, for so many clients in all and ``limit`` seconds at most.

    Raises LabError when there is no PgBouncer on PATH, or it does not start.
    """
    found = program()
    if found is None:
        raise LabError("there is no pgbouncer on PATH: install PgBouncer, or leave it out")
    cluster = database.server.cluster
    account = Account.of(cluster.data if cluster else database.server.settings.home)
    # Not below the lab's home: a socket's path has 107 bytes at most.
    with tempfile.TemporaryDirectory(prefix="oltp_lab-", dir="/tmp") as name:
        folder = Path(name)
        log, configuration = folder / "log", folder / "pgbouncer.ini"
        configuration.touch(mode=0o600)  # it will hold a password
        prepares = _version(found) >= _PREPARES
        configuration.write_text(
            _configuration(database, pools, folder, prepares, clients + _SPARE_CLIENTS), "utf-8"
        )
        account.own(folder)
        with (
            log.open("wb") as stderr,
            processes.spawn(
                database.server.settings,
                [found, configuration],
                limit=limit,
                # With too few it hangs without a word.
                open_files=clients + sum(pool.size for pool in pools.values()) + _SPARE_FILES,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                **account.identity,
            ) as child,
        ):
            bouncer = Bouncer(folder, prepares)
            _wait(bouncer.conninfo(next(iter(pools))), child, log)
            yield bouncer


def _configuration(
    database: Database, pools: Mapping[str, Pool], folder: Path, prepares: bool, clients: int
) -> str:
    options = database.options()
    return sql.read("servers/pgbouncer.ini").format(
        databases="\n".join(_line(database, name, pool) for name, pool in pools.items()),
        folder=folder,
        port=_PORT,
        sslmode=options.get("sslmode", "prefer"),
        ca_file=options.get("sslrootcert", ""),
        clients=clients,
        prepared="max_prepared_statements = 100" if prepares else "",
    )


def _line(database: Database, name: str, pool: Pool) -> str:
    options = database.options(pool.role)
    server = " ".join(
        f"{keyword}={_quoted(options[keyword])}"
        for keyword in ("host", "port", "dbname", "user", "password")
        if keyword in options
    )
    return f"{name} = {server} pool_size={pool.size}"


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _version(found: str) -> tuple[int, ...]:
    told = subprocess.run(
        [found, "--version"], capture_output=True, text=True, timeout=START_LIMIT, check=False
    )
    numbers = re.search(r"PgBouncer (\d+)\.(\d+)", told.stdout)
    return tuple(map(int, numbers.groups())) if numbers else (0, 0)


def _wait(conninfo: str, child: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_LIMIT
    while child.poll() is None and time.monotonic() < deadline:
        with suppress(psycopg.OperationalError):
            psycopg.connect(conninfo).close()
            return
        time.sleep(0.05)
    said = log.read_text("utf-8", "replace").strip().splitlines()
    raise LabError(
        f"PgBouncer did not start: {(said or ['no reason given'])[-1]} "
        "(take it off PATH to leave it out)"
    )
