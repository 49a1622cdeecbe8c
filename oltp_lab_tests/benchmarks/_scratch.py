"""A database to measure in."""

from collections.abc import Iterator
from contextlib import contextmanager

from oltp_lab import servers
from oltp_lab.schema import build
from oltp_lab.servers import Database, databases
from oltp_lab.settings import Settings


@contextmanager
def scratch(current: Settings) -> Iterator[Database]:
    """A database with the schema and no rows, dropped afterwards."""
    with databases.temporary(servers.oltp(current)) as database:
        build.ensure(database)
        yield database
