"""Copies of some tables of the lab's OLTP database, for work that must leave it as it is."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from psycopg import IsolationLevel
from psycopg.sql import SQL, Identifier

from oltp_lab import sql
from oltp_lab.schema import build
from oltp_lab.servers import Database, databases

_ROLE = "lab_platform"


@contextmanager
def made(original: Database, tables: Sequence[str]) -> Iterator[Database]:
    """A database beside ``original`` with the same schema and the rows of these tables.

    ``tables`` are ``schema.name``, each after those that it refers to.
    """
    with databases.temporary(original) as copy:
        build.ensure(copy)
        columns = sql.queries("neighbours/copy.sql")["columns"]
        with original.connect(_ROLE) as source, copy.connect(_ROLE) as target:
            source.isolation_level = IsolationLevel.REPEATABLE_READ  # one moment for all tables
            for table in tables:
                found = source.execute(columns, {"table": table}).fetchall()
                names = SQL(", ").join(Identifier(name) for (name,) in found)
                whole, draft = Identifier(*table.split(".")), Identifier("pg_temp", "incoming")
                reads = SQL("copy {} ({}) to stdout (format binary)").format(whole, names)
                writes = SQL("copy {} ({}) from stdin (format binary)").format(draft, names)
                made_like = SQL("create temp table incoming as select {} from {} with no data")
                target.execute(made_like.format(names, whole))
                with source.cursor().copy(reads) as rows, target.cursor().copy(writes) as into:
                    for block in rows:
                        into.write(block)
                # COPY itself cannot write under row level security.
                moved = SQL("insert into {} ({}) select {} from {}")
                target.execute(moved.format(whole, names, names, draft))
                target.execute(SQL("drop table {}").format(draft))
        with copy.connect(autocommit=True) as administrator:
            administrator.execute("analyze")
        yield copy
