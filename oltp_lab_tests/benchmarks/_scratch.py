"""A database to measure in."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from oltp_lab import servers
from oltp_lab.schema import build
from oltp_lab.servers import Database, databases
from oltp_lab.settings import Settings


@contextmanager
def scratch(current: Settings) -> Iterator[Database]:
    """A database with the schema and no rows, dropped afterwards."""
    database = servers.oltp(current).sibling(f"oltp_lab_bench_{uuid.uuid4().hex[:12]}")
    databases.create(database)
    try:
        build.ensure(database)
        yield database
    finally:
        databases.drop(database)
