"""The schema ``scratch_load``, which a load run makes, leans on and drops."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

import psycopg

from oltp_lab import sql
from oltp_lab.errors import LabError
from oltp_lab.measuring.store import Run
from oltp_lab.servers import Database, locks

SCHEMA = "scratch_load"
LOCK_LIMIT = 300.0
"""Seconds to wait for another load run."""
_QUERIES = "measuring/scratch.sql"


def exclusively(database: Database, what: str, run: Run) -> AbstractContextManager[None]:
    """One load run at a time. Raises LabError naming the other one when it takes too long."""
    holder = f"{what} (run {run.run_id})"
    return locks.held(database.server.settings, "load", holder=holder, timeout=LOCK_LIMIT)


@contextmanager
def made(database: Database, *, tenants: int, targets: int) -> Iterator[psycopg.Connection]:
    """Make it for so many tenants (or all there are) and rows of each; yields its maker's session.

    What a killed run has left is dropped. Scripts need ``define_lookups`` too.
    Raises LabError while another load run uses the database, or when no tenant has leads.
    """
    queries = sql.queries(_QUERIES)
    with database.connect(autocommit=True) as maker:
        if maker.execute(queries["lock"]).fetchone() != (True,):
            raise LabError(
                f"another load run is using the database {database.name} of this server: "
                "wait until it ends, or end its session"
            )
        maker.execute(queries["drop"])
        try:
            maker.execute(queries["create"])
            with database.connect("lab_platform") as platform:
                chosen = platform.execute(queries["choose_tenants"], {"tenants": tenants})
                if chosen.rowcount == 0:
                    raise LabError("no active tenant has leads: run the job `build` first")
                platform.execute(queries["choose_targets"], {"targets": targets})
            yield maker
        finally:
            with suppress(psycopg.OperationalError):  # the next run drops what a dead server kept
                maker.execute(queries["drop"])
                maker.execute(queries["unlock"])  # a session ends some time after it was closed


def make_campaigns(database: Database, run_id: str) -> None:
    """Give each tenant a campaign of the run's own to write to, ``external_id`` ``load:RUN_ID``.

    They stay: what judges the sample data passes over them.
    """
    with database.connect("lab_platform") as platform:
        platform.execute(sql.queries(_QUERIES)["make_campaigns"], {"run_id": run_id})


def define_lookups(maker: psycopg.Connection) -> dict[str, int]:
    """Make the functions that turn numbers into ids; returns the ranges that scripts draw from."""
    maker.execute(sql.queries(_QUERIES)["define_lookups"])
    sizes = maker.execute(sql.queries(_QUERIES)["sizes"]).fetchone()
    assert sizes
    return {"tenants": sizes[0], "targets": sizes[1]}


def is_lost(maker: psycopg.Connection) -> bool:
    """Has its maker's session ended from outside, as when the server died?"""
    try:
        maker.execute("select")
    except psycopg.OperationalError:
        return True
    return False


def checkpoint(maker: psycopg.Connection) -> None:
    """Write out what earlier work left dirty, if the administrator may."""
    with suppress(psycopg.errors.InsufficientPrivilege):
        maker.execute("checkpoint")
