"""Building the database: layers and operations, all or nothing, only when they changed."""

import logging
from dataclasses import dataclass

import psycopg
from psycopg import sql as pg

from oltp_lab import catalog, sql
from oltp_lab.errors import LabError
from oltp_lab.servers import Database, credentials
from oltp_lab.servers.rebuilding import rebuilding

log = logging.getLogger(__name__)

# What comes before the layers, as the administrator.
PREPARATION = (
    "schema/session.sql",
    "schema/roles.sql",
    "schema/reset.sql",
    "schema/catalogs.sql",
)


@dataclass(frozen=True)
class Build:
    """What ``ensure`` found or did."""

    content_hash: str
    rebuilt: bool
    incarnation: str


def layers() -> list[str]:
    """The files in the order in which they are applied, all as lab_owner."""
    return [
        file
        for folder in ("schema/nile", "schema/tables", "schema/overlay", "operations")
        for file in sql.files(folder)
    ]


def content_hash() -> str:
    """A hash of all that the database is built from."""
    return sql.content_hash(*PREPARATION, *layers())


def ensure(database: Database) -> Build:
    """Build the schema unless the database holds exactly this one already.

    Raises LabError when a role of the lab's name belongs to somebody else, or when another session
    keeps the old schema locked.
    """
    wanted = content_hash()
    queries = sql.queries("schema/queries.sql")
    with database.connect() as connection:
        connection.execute(queries["serialize_builds"])
        installed = None
        if catalog.is_built(connection):
            installed = connection.execute(queries["installed_hash"]).fetchone()
        if installed != (wanted,):
            _rebuild(connection, wanted)
        if not database.server.embedded:  # whose private socket trusts
            credentials.give(connection, database.server.settings.credentials)
        (incarnation,) = connection.execute(queries["incarnation"]).fetchone() or ("",)
    return Build(wanted, rebuilt=installed != (wanted,), incarnation=str(incarnation))


def _rebuild(connection: psycopg.Connection, wanted: str) -> None:
    """Replace what the lab built here before; the caller's transaction makes it all or nothing."""
    _create_extensions(connection)
    with rebuilding(connection, PREPARATION, "OLTP_LAB_POSTGRES_URL"):
        for file in layers():
            connection.execute(sql.read(file))
        connection.execute(
            "insert into lab.builds (part, content_hash) values ('schema', %s)", [wanted]
        )


def _create_extensions(connection: psycopg.Connection) -> None:
    """What exclusion constraints need, and statement statistics where the administrator may."""
    if problem := _create_extension(connection, "btree_gist"):
        raise LabError(
            f"the schema needs the extension btree_gist, but {problem}: install PostgreSQL's "
            "contrib modules there, or set OLTP_LAB_POSTGRES_URL to a server that has them"
        )
    if problem := _create_extension(connection, "pg_stat_statements"):
        log.warning("without extension pg_stat_statements: %s", problem)


def _create_extension(connection: psycopg.Connection, name: str) -> str | None:
    """Why an extension cannot be had, or None when it is there."""
    try:
        with connection.transaction():
            connection.execute(
                pg.SQL("create extension if not exists {}").format(pg.Identifier(name))
            )
    except (
        psycopg.errors.InsufficientPrivilege,
        psycopg.errors.FeatureNotSupported,  # the server came without it
        psycopg.errors.UndefinedFile,  # the same, before version 17
    ) as error:
        return error.diag.message_primary
    return None
