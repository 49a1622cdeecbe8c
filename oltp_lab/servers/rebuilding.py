"""Replacing what the lab built in a database, as its owner and all or nothing."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg

from oltp_lab import sql
from oltp_lab.errors import LabError


@contextmanager
def rebuilding(
    connection: psycopg.Connection, preparation: Sequence[str], variable: str
) -> Iterator[None]:
    """Run the files of ``preparation`` as the administrator, and the block as lab_owner.

    All in the caller's transaction. ``variable`` is the setting that names the server.
    Raises LabError when a role of the lab's name belongs to somebody else, or when another session
    keeps the old tables locked.
    """
    try:
        for file in preparation:
            connection.execute(sql.read(file))
        connection.execute("set local role lab_owner")
        yield
        connection.execute("reset role")
    except psycopg.errors.DuplicateObject as error:
        raise LabError(
            f"{error.diag.message_primary}: rename it, or set {variable} to another server"
        ) from None
    except psycopg.errors.LockNotAvailable:
        raise LabError(
            f"another session keeps tables of {connection.info.dbname} locked, so that the schema "
            "cannot be rebuilt: end that session (see pg_stat_activity) and run again"
        ) from None
