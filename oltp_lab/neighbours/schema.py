"""The schema of a neighbouring database: one folder's files, all or nothing, when they changed."""

from psycopg import sql as pg

from oltp_lab import sql
from oltp_lab.servers import Database, credentials
from oltp_lab.servers.rebuilding import rebuilding

_PREPARATION = ("schema/session.sql", "schema/roles.sql", "schema/reset.sql")
_TENANT_CONTEXT = "schema/overlay/09_tenant_context.sql"
_QUERIES = "neighbours/queries.sql"


def ensure(database: Database, folder: str) -> bool:
    """Build the database from ``sql/FOLDER/*.sql``, as lab_owner; returns whether it had to be.

    The tenant is put into context as in the OLTP database, by the same function.

    What it held is gone when the files are others than it was built from.
    Raises LabError when a role of the lab's name belongs to somebody else, or when another session
    keeps the old tables locked.
    """
    files = [_TENANT_CONTEXT, *sql.files(folder)]
    wanted = sql.content_hash(*_PREPARATION, *files)
    queries = sql.queries(_QUERIES)
    with database.connect() as connection:
        connection.execute(sql.queries("schema/queries.sql")["serialize_builds"])
        installed = connection.execute(queries["installed_hash"]).fetchone()
        if built := installed != (wanted,):
            with rebuilding(connection, _PREPARATION, "OLTP_LAB_NEIGHBOURS_URL"):
                for file in files:
                    connection.execute(sql.read(file))
            connection.execute(pg.SQL(queries["note_hash"]).format(pg.Literal(wanted)))
        if not database.server.embedded:  # whose private socket trusts
            credentials.give(connection, database.server.settings.credentials)
    return built
