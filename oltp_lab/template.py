"""The lab's database as a template to clone: built, filled at scale smoke, and left idle."""

from collections.abc import Iterator
from contextlib import contextmanager

from oltp_lab.sample_data import load
from oltp_lab.schema import build
from oltp_lab.servers import Database, databases


@contextmanager
def seeded(beside: Database) -> Iterator[Database]:
    """A template on the server of ``beside``, dropped whatever happens."""
    with databases.temporary(beside) as template:
        build.ensure(template)
        load.ensure(template, "smoke", seed=1)
        yield template
