"""One database for all tests here that leave the schema alone; each has tenants of its own."""

from collections.abc import Iterator

import pytest

from oltp_lab.servers import Database, databases
from oltp_lab_tests.tenancy.world import World


@pytest.fixture(scope="package")
def shared(schema_template: Database) -> Iterator[Database]:
    """The schema without rows, for all tests of this package."""
    with databases.temporary(schema_template, schema_template) as clone:
        yield clone


@pytest.fixture
def world(shared: Database) -> Iterator[World]:
    with (
        shared.connect("lab_platform", autocommit=True) as platform,
        shared.connect("lab_auth", autocommit=True) as auth,
    ):
        yield World(shared, platform, auth)
