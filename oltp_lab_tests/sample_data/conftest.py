"""What several tests of the sample data need."""

from collections.abc import Callable, Iterator

import pytest
from psycopg import sql as pg

from oltp_lab import catalog
from oltp_lab.servers import Database, databases

_CHECKSUM = """
select md5(string_agg((to_jsonb(r) - %s::text[])::text, chr(10) order by r.ctid)) from {} as r
"""
_OF_ITS_TRANSACTION = {"tombstones": ["change_xid", "id", "deleted_at"]}


@pytest.fixture(scope="module")
def sample(seeded_template: Database) -> Iterator[Database]:
    """The sample data of scale smoke, for tests that change nothing or roll back."""
    with databases.temporary(seeded_template, seeded_template) as clone:
        yield clone


@pytest.fixture
def checksums() -> Callable[[Database], dict[str, object]]:
    """Of each table: a sum over its rows, in the order in which they lie on disk."""

    def of(database: Database) -> dict[str, object]:
        with database.connect("lab_platform") as connection:
            return {
                f"{schema}.{table}": connection.execute(
                    pg.SQL(_CHECKSUM).format(pg.Identifier(schema, table)),
                    [_OF_ITS_TRANSACTION.get(table, ["change_xid"])],
                ).fetchone()
                for schema, table in catalog.tables()
            }

    return of
