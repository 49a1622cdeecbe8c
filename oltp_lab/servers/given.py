"""Connecting, and whether a server given by URL is fit: asked before anything is touched there."""

import logging
import re
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from oltp_lab import sql
from oltp_lab.errors import LabError
from oltp_lab.servers.busy import BusyConnection

OLDEST = 160000
_CONNECT_LIMIT = 10  # seconds

_PORTS = re.compile(r"[\d,]*")
_log = logging.getLogger(__name__)


def options(url: str, variable: str) -> dict[str, str]:
    """libpq's options in a connection URL, which is the value of the setting ``variable``.

    Raises LabError when it is none; the message does not repeat it, it may hold a password.
    """
    try:
        parts = {key: str(value) for key, value in conninfo_to_dict(url).items()}
    except psycopg.ProgrammingError:
        parts = {}
    # A password with an unescaped @ or / ends up in the host or the port, which errors show.
    misplaced = "@" in parts.get("host", "") or not _PORTS.fullmatch(parts.get("port", ""))
    if not parts or misplaced:
        raise LabError(
            f"{variable} is not a connection URL: set it to postgresql://USER:PASSWORD@HOST:PORT/ "
            f"with %40 for @ and %2F for / in the password"
        )
    return {"connect_timeout": str(_CONNECT_LIMIT), "dbname": "postgres", **parts}


def connect(options: Mapping[str, str], where: str, /, **kwargs: Any) -> psycopg.Connection:
    """A session, whose statements count as busy.

    Raises LabError with libpq's reason when there is none to be had.
    """
    try:
        return BusyConnection.connect(**{**options, **kwargs})
    except psycopg.OperationalError as error:
        reason = " ".join(str(error).split())
    raise LabError(f"cannot connect to {where}: {reason}")


def identity(session: psycopg.Connection) -> tuple[int, str]:
    """The server's version (like 180006) and its system identifier."""
    row = session.execute(sql.queries("servers/servers.sql")["identity"]).fetchone()
    assert row
    return row[0], row[1]


def check(session: psycopg.Connection, variable: str) -> None:
    """Raises LabError when the server is too old or a standby, or the login lacks a right."""
    if session.info.server_version < OLDEST:
        raise LabError(
            f"the server of {variable} is PostgreSQL {session.info.server_version // 10000}: "
            f"set {variable} to one of version {OLDEST // 10000} or newer"
        )
    row = session.execute(sql.queries("servers/servers.sql")["rights"]).fetchone()
    assert row
    databases, roles, monitor, checkpoint, standby = row
    user = session.info.user
    if standby:
        raise LabError(f"the server of {variable} is a standby: set {variable} to its primary")
    for right, has in (("CREATEDB", databases), ("CREATEROLE", roles)):
        if not has:
            raise LabError(
                f"role {user} on the server of {variable} lacks {right}: "
                f"run `alter role {user} {right}` there, or name another role in {variable}"
            )
    for right, has, skipped in (
        ("pg_monitor", monitor, "other sessions' statements are not seen"),
        ("pg_checkpoint", checkpoint, "load runs begin without a checkpoint"),
    ):
        if not has:
            _log.warning("role %s on the server of %s lacks %s: %s", user, variable, right, skipped)
