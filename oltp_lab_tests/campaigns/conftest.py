"""What every test of the campaigns starts from: an empty world."""

from collections.abc import Iterator

import pytest

from oltp_lab.servers import Database, databases
from oltp_lab_tests.campaigns.world import Outreach


@pytest.fixture(scope="package")
def shared_database(schema_template: Database) -> Iterator[Database]:
    """One clone for all tests here that leave the schema alone: emptying is faster than cloning."""
    with databases.temporary(schema_template, schema_template) as clone:
        yield clone


@pytest.fixture
def world(shared_database: Database) -> Iterator[Outreach]:
    """Nobody's claims find the tenants of earlier tests: theirs are suspended."""
    with shared_database.connect("lab_platform", autocommit=True) as platform:
        platform.execute("update public.tenants set status = 'suspended' where status = 'active'")
        yield Outreach(shared_database, platform)
