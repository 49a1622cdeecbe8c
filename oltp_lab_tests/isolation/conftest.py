"""A database that the lab did not make."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from oltp_lab.servers import Database

_SQL = Path(__file__).with_name("theirs.sql")


@pytest.fixture
def theirs(empty: Database) -> Iterator[Database]:
    with empty.connect(autocommit=True) as connection:
        connection.execute(_SQL.read_text("utf-8"))  # type: ignore[arg-type]
        yield empty
        for role in ("theirs_app", "theirs_onlooker"):
            connection.execute(f"drop owned by {role}; drop role {role}")  # type: ignore[arg-type]
