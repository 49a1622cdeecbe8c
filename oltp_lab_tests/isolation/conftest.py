"""A database that the lab did not make."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from oltp_lab.servers import Database

_SQL = Path(__file__).with_name("theirs.sql")
GIVEN = {"tenant_column": "account_id", "setting": "app.account", "role": "theirs_app"}


def url_of(database: Database, user: str = "postgres") -> str:
    """A database of the tests' own server as somebody would give it."""
    options = database.options()
    return (
        f"postgresql:///{database.name}?host={options['host']}&port={options['port']}&user={user}"
    )


@pytest.fixture
def theirs(empty: Database) -> Iterator[Database]:
    with empty.connect(autocommit=True) as connection:
        connection.execute(_SQL.read_text("utf-8"))  # type: ignore[arg-type]
        yield empty
        for role in ("theirs_app", "theirs_onlooker"):
            connection.execute(f"drop owned by {role}; drop role {role}")  # type: ignore[arg-type]
