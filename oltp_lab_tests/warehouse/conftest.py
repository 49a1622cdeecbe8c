"""A warehouse file of the test's own, and a little business to mirror."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from oltp_lab.resources.warehouse import Warehouse
from oltp_lab.servers import Database
from oltp_lab.settings import Settings
from oltp_lab_tests.warehouse.business import add_business


@pytest.fixture
def warehouse(settings: Settings, tmp_path: Path) -> Warehouse:
    """An empty warehouse."""
    assert settings.home.is_absolute()
    return Warehouse(database=str(tmp_path / "warehouse.duckdb"))


@pytest.fixture
def connection(warehouse: Warehouse) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse, open for writing."""
    with warehouse.open() as opened:
        yield opened


@pytest.fixture
def oltp(database: Database) -> Database:
    """A database with three tenants and some campaigns."""
    add_business(database)
    return database
