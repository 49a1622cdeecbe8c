"""What marts tell is what the OLTP database says of it, and what they do not is noticed."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import duckdb
import psycopg
import pytest

from oltp_lab import sql
from oltp_lab.resources.warehouse import Warehouse
from oltp_lab.servers import Database, databases
from oltp_lab.warehouse import marts
from oltp_lab.warehouse.mart_reconciliation import differences
from oltp_lab.warehouse.marts import Mart
from oltp_lab_tests.warehouse.business import sync

FIGURES = sql.queries(str(Path(__file__).parent / "mart_figures.sql"))
COMPARED = sorted(
    name.removesuffix("_oltp")
    for name in FIGURES
    if name.endswith("_oltp") and not name.startswith("limits")
)


class Sides(NamedTuple):
    """The OLTP database and the warehouse that has just been synced with it."""

    oltp: psycopg.Connection
    warehouse: duckdb.DuckDBPyConnection


@pytest.fixture(scope="module")
def sides(seeded_template: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sides]:
    """Shared by all tests of the file, which change nothing that they do not undo."""
    file = tmp_path_factory.mktemp("figures") / "warehouse.duckdb"
    with (
        databases.temporary(seeded_template, seeded_template) as database,
        Warehouse(database=str(file)).open() as connection,
    ):
        with database.connect() as administrator:
            administrator.execute(FIGURES["eventful"])
        with database.connect("lab_platform", autocommit=True) as platform:
            tenant = platform.execute(FIGURES["end_tenant"]).fetchone()
            while platform.execute(FIGURES["purge_tenant"], tenant).fetchone() != (True,):
                pass
        sync(connection, database)
        marts.refresh(connection)
        with database.connect("lab_platform") as platform:
            yield Sides(platform, connection)


def test_there_is_something_of_all_that_marts_tell_apart(sides: Sides) -> None:
    told = sides.warehouse.sql(FIGURES["told_apart"])
    assert dict(zip(told.columns, told.fetchone() or (), strict=True)) == dict.fromkeys(
        told.columns, True
    )


@pytest.mark.parametrize("name", COMPARED)
def test_a_mart_tells_what_the_oltp_says(sides: Sides, name: str) -> None:
    told = sides.warehouse.execute(FIGURES[f"{name}_mart"]).fetchall()
    said = sides.oltp.execute(FIGURES[f"{name}_oltp"]).fetchall()
    assert told
    assert Counter(told) == Counter(said)


def test_limits_of_the_latest_day_are_those_of_the_oltp(sides: Sides) -> None:
    told = sides.warehouse.execute(FIGURES["limits_mart"]).fetchall()
    tenants, moments, features, *_ = map(list, zip(*told, strict=True))
    asked = {"tenants": tenants, "moments": moments, "features": features}
    said = sides.oltp.execute(FIGURES["limits_oltp"], asked).fetchall()
    assert Counter(told) == Counter(said)
    assert set(features) == {"emails_per_month", "leads", "campaigns", "email_accounts", "domains"}


def test_recurring_revenue_follows_from_month_to_month(sides: Sides) -> None:
    (broken,) = sides.warehouse.execute(FIGURES["broken_months"]).fetchone() or (None,)
    assert broken == 0


@pytest.mark.parametrize("mart", marts.discovered(), ids=lambda mart: mart.name)
def test_a_row_too_many_is_named(sides: Sides, mart: Mart) -> None:
    warehouse = sides.warehouse
    assert differences(warehouse, mart) == []
    warehouse.execute(f"create temp table kept as from marts.{mart.name}")
    warehouse.execute(f"insert into marts.{mart.name} from kept order by all desc limit 1")
    found = differences(warehouse, mart)
    warehouse.execute(f"truncate marts.{mart.name}")
    warehouse.execute(f"insert into marts.{mart.name} from kept order by all")
    warehouse.execute("drop table kept")
    assert any(" in the mart and " in difference for difference in found)
    assert any("1 rows of the mart are wrong or too many" in difference for difference in found)
    assert differences(warehouse, mart) == []
