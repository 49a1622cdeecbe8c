"""What every test of the infrastructure starts from: an empty world."""

from collections.abc import Iterator

import pytest

from oltp_lab.servers import Database, databases
from oltp_lab_tests.infrastructure.world import World


@pytest.fixture(scope="session")
def shared_database(schema_template: Database) -> Iterator[Database]:
    """One clone for all tests here that leave the schema alone: emptying is faster than cloning."""
    with databases.temporary(schema_template, schema_template) as clone:
        yield clone


@pytest.fixture
def world(shared_database: Database) -> Iterator[World]:
    """No rows but the reference data, and the platform's session."""
    with shared_database.connect() as administrator:
        administrator.execute(
            "truncate public.tenants, infrastructure.vps_instances,"
            " infrastructure.verified_domains cascade"
        )
    with shared_database.connect("lab_platform", autocommit=True) as platform:
        yield World(shared_database, platform)
