"""Making and dropping databases. Each database of the lab carries a comment that says so."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from oltp_lab import sql as files
from oltp_lab.errors import LabError
from oltp_lab.servers.database import Database

MADE_BY_THE_LAB = "Made by oltp_lab, which may drop it."


def exists(database: Database) -> bool:
    """Does the lab's database exist?

    Raises LabError when a database of that name does, but was not made by the lab.
    """
    with database.server.administer() as connection:
        return _exists(connection, database)


def create(database: Database, template: Database | None = None) -> None:
    """Make the database unless it exists; ``template`` (idle, same server) is copied into it.

    Raises LabError when a database of that name exists that the lab did not make.
    """
    with database.server.administer() as connection:
        connection.execute(_queries()["lock_databases"])
        if _exists(connection, database):
            return
        name = sql.Identifier(database.name)
        source = sql.Identifier(template.name if template else "template0")
        connection.execute(sql.SQL("create database {} template {}").format(name, source))
        if template:  # whose rights are not copied with it
            named = {"template": template.name, "name": database.name}
            for (right,) in connection.execute(_queries()["rights_of_template"], named).fetchall():
                connection.execute(right)
        comment = sql.SQL("comment on database {} is {}")
        connection.execute(comment.format(name, sql.Literal(MADE_BY_THE_LAB)))


def drop(database: Database) -> None:
    """Drop the lab's database if it exists, ending its sessions.

    Raises LabError when the lab did not make it.
    """
    with database.server.administer() as connection:
        if _exists(connection, database):
            name = sql.Identifier(database.name)
            connection.execute(sql.SQL("drop database {} with (force)").format(name))


@contextmanager
def temporary(beside: Database, template: Database | None = None) -> Iterator[Database]:
    """A database of its own name on the server of ``beside``, dropped whatever happens.

    ``template`` (idle) is copied into it; without one it is empty.
    """
    database = beside.sibling(f"oltp_lab_temporary_{uuid.uuid4().hex[:12]}")
    create(database, template)
    try:
        yield database
    finally:
        drop(database)


def _exists(connection: psycopg.Connection, database: Database) -> bool:
    row = connection.execute(_queries()["database"], {"name": database.name}).fetchone()
    # A clone is made before its comment; on an embedded server all databases are the lab's.
    if row and row[0] != MADE_BY_THE_LAB and not database.server.embedded:
        raise LabError(
            f"the database {database.name} on {database.server.where} was not made by the lab: "
            f"rename it, or set {database.server.variable} to another server"
        )
    return row is not None


def _queries() -> dict:
    return files.queries("servers/servers.sql")
