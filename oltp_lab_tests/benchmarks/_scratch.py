"""Databases to measure in."""

from collections.abc import Iterator
from contextlib import contextmanager

from oltp_lab import servers, settings
from oltp_lab.sample_data import load as sample_data
from oltp_lab.schema import build
from oltp_lab.servers import Database, databases
from oltp_lab.settings import Settings


@contextmanager
def scratch(current: Settings) -> Iterator[Database]:
    """A database with the schema and no rows, dropped afterwards."""
    with databases.temporary(servers.oltp(current)) as database:
        build.ensure(database)
        yield database


@contextmanager
def clone() -> Iterator[Database]:
    """A clone of the filled database."""
    current = settings.load()
    original = servers.oltp(current)
    build.ensure(original)
    sample_data.ensure(original, current.scale, seed=1)
    with databases.temporary(original, original) as database:
        yield database
