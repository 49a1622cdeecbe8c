"""Filling the database, all or nothing, only when something else is there.

The rows are made on the server by ``sql/sample_data``; from here come the sizes, the seed and a few
words. They are written as lab_platform, under forced row level security.
"""

import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql as pg
from psycopg.types.json import Jsonb

from oltp_lab import catalog, sql
from oltp_lab.errors import LabError
from oltp_lab.sample_data import scales, words
from oltp_lab.servers import Database

AS_OF = datetime(2026, 1, 1, tzinfo=UTC)
"""When the history ends. Fixed, so that the same seed gives the same rows."""
LOCK_TIMEOUT = "30s"


@dataclass(frozen=True)
class Build:
    """What ``ensure`` found or did; ``seconds`` is the transaction's wall time."""

    content_hash: str
    details: dict[str, Any]
    rebuilt: bool
    seconds: float


def files() -> list[str]:
    """The files in the order in which they are applied."""
    return ["sample_data/ground.sql", *sql.files("sample_data", "[0-9]*.sql")]


def content_hash() -> str:
    """A hash of the SQL that makes the rows; sizes and seed are told apart in ``details``."""
    return sql.content_hash(*files())


def ensure(database: Database, scale: str, seed: int) -> Build:
    """Put the sample data of a scale and seed there, unless the database holds exactly that.

    What was there before goes, and ``lab.incarnation`` is renewed in the same transaction.
    Raises LabError for a scale that cannot be, a missing schema, tables that another session keeps
    locked, or a server without room.
    """
    details = {
        "scale": scale,
        "seed": seed,
        "as_of": AS_OF.isoformat(),
        "sizes": asdict(scales.sizes(scale)),
        "words": words.source(),
    }
    began = time.monotonic()
    try:
        rebuilt = _ensure(database, content_hash(), details)
        seconds = time.monotonic() - began
        if rebuilt:
            _vacuum(database)
    except psycopg.errors.LockNotAvailable:
        raise LabError(
            f"another session keeps tables of {database.name} locked, so that the sample data "
            "cannot be replaced: end that session (see pg_stat_activity) and run again"
        ) from None
    except psycopg.OperationalError as error:
        raise LabError(
            f"filling {database.name} failed ({_cause(error)}): give the server "
            "what it lacks, or set OLTP_LAB_HOME or OLTP_LAB_POSTGRES_URL to a place that has it"
        ) from None
    return Build(content_hash(), details, rebuilt, seconds)


def _ensure(database: Database, wanted: str, details: dict[str, Any]) -> bool:
    """Replace the sample data in one transaction; False when there was nothing to do."""
    queries = sql.queries("sample_data/queries.sql")
    with database.connect() as connection:
        connection.execute(queries["serialize"])
        if not catalog.is_built(connection):
            raise LabError(f"{database.name} has no schema yet: run the job `build`")
        if connection.execute(queries["installed"]).fetchone() == (wanted, details):
            return False
        connection.execute(queries["limit_waits"], [LOCK_TIMEOUT])
        # Not a delete: that would leave a tombstone for each row.
        connection.execute(pg.SQL("truncate {}").format(_tables(connection)))
        connection.execute(queries["become_platform"])
        _fill(connection, details)
        connection.execute(queries["record"], [wanted, Jsonb(details)])
        connection.execute(queries["renew_incarnation"])
    return True


def _fill(connection: psycopg.Connection, details: dict[str, Any]) -> None:
    """Run the domain files over the sizes and words."""
    queries = sql.queries("sample_data/queries.sql")
    ground, *domains = files()
    connection.execute(sql.read(ground))
    as_of = round(AS_OF.timestamp() * 1000)
    scale = details["sizes"] | {"seed": details["seed"], "as_of": as_of}
    connection.execute(queries["fill_scale"], [Jsonb(scale)])
    rows = words.rows(details["seed"])
    with connection.cursor().copy(queries["fill_pool"]) as copy:
        for row in rows:
            copy.write_row(row)
    connection.execute(queries["analyze_ground"])
    for file in domains:
        connection.execute(sql.read(file))


def _vacuum(database: Database) -> None:
    """Statistics, hint bits, visibility map and BRIN summaries, so that no reader pays later."""
    with database.connect(autocommit=True) as connection:
        connection.execute(pg.SQL("vacuum (analyze) {}").format(_tables(connection)))


def _tables(connection: psycopg.Connection) -> pg.Composed:
    """What is filled: all but the shared tables, whose definitions came with the schema."""
    shared = set(connection.execute(sql.queries("sample_data/queries.sql")["shared"]).fetchall())
    return pg.SQL(", ").join(
        pg.Identifier(*table) for table in catalog.tables() if table not in shared
    )


def _cause(error: psycopg.Error) -> str:
    return error.diag.message_primary or str(error).strip().split("\n")[0]
