"""Reading the marts: the questions of the README have answers, and exports hold what was asked for.

What is not so, or is anybody else's, does not appear.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import dagster as dg
import duckdb
import pytest
from click.testing import CliRunner

from oltp_lab import settings as lab_settings
from oltp_lab import sql
from oltp_lab.definitions import build_defs
from oltp_lab.errors import LabError
from oltp_lab.resources import Warehouse
from oltp_lab.servers import Database, databases
from oltp_lab.warehouse import export, exports, marts
from oltp_lab_tests.warehouse.business import sync

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
SECTION = README[README.index("\n## The warehouse\n") : README.index("\n## Other commands\n")]


@pytest.fixture(scope="module")
def built(
    seeded_template: Database, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Warehouse]:
    """A warehouse with the sample data's marts; tests only read it."""
    warehouse = Warehouse(database=str(tmp_path_factory.mktemp("export") / "warehouse.duckdb"))
    with (
        databases.temporary(seeded_template, seeded_template) as database,
        warehouse.open() as connection,
    ):
        sync(connection, database)
        marts.refresh(connection)
    yield warehouse


@pytest.mark.parametrize("question", re.findall(r"```sql\n(.*?)```", SECTION, re.DOTALL))
def test_a_question_of_the_readme_has_an_answer(
    reader: duckdb.DuckDBPyConnection, question: str
) -> None:
    assert reader.execute(question).fetchall()


def test_the_readme_asks_in_pandas_too(built: Warehouse) -> None:
    (script,) = re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)
    assert SECTION.count("```sql") == 5
    places: dict[str, Any] = {}
    exec(script.replace(".oltp_lab/warehouse.duckdb", built.database), places)
    assert len(places["answer"])


@pytest.fixture
def reader(built: Warehouse) -> Iterator[duckdb.DuckDBPyConnection]:
    with built.open(read_only=True) as connection:
        yield connection


@pytest.fixture
def tenant(reader: duckdb.DuckDBPyConnection) -> UUID:
    (found,) = reader.execute("select min(tenant_id) from marts.campaign_daily").fetchone() or (
        None,
    )
    assert isinstance(found, UUID)
    return found


def test_a_tenants_export_is_its_rows_alone(
    reader: duckdb.DuckDBPyConnection, tenant: UUID, tmp_path: Path
) -> None:
    folder = tmp_path / "some" / "place"
    done = {e.mart.name: e.rows for e in export.export_tenant(reader, tenant, folder)}
    assert set(done) == {mart.name for mart in marts.discovered()}
    assert done["campaign_daily"] > 0
    for mart in marts.discovered():
        file = str(folder / f"{mart.name}.parquet")
        written = duckdb.read_parquet(file)
        ours = reader.table(f"marts.{mart.name}").filter(f"tenant_id = '{tenant}'")
        assert written.columns == ours.columns
        assert written.order("all").fetchall() == ours.order("all").fetchall()
        told = duckdb.execute("from parquet_kv_metadata(?)", [file]).fetchall()
        comments = {key.decode(): value.decode() for _, key, value in told}
        assert comments["tenant_id"].startswith("The tenant")
        assert set(comments) == {mart.name, *written.columns}
    assert [path.name for path in folder.parent.iterdir()] == ["place"]


def test_the_command_of_the_readme_exports(
    built: Warehouse, tenant: UUID, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLTP_LAB_WAREHOUSE", built.database)
    assert "python -m oltp_lab.warehouse.export --tenant <uuid> --to <folder>" in SECTION
    asked = ["--tenant", str(tenant), "--to", str(tmp_path / "new")]
    told = CliRunner().invoke(export.main, asked)
    assert told.output.count("\n") == len(list((tmp_path / "new").iterdir()))
    again = CliRunner().invoke(export.main, asked)
    assert again.exit_code == 1
    assert again.output.startswith("Error: ")


def test_what_cannot_be_exported_is_refused(
    reader: duckdb.DuckDBPyConnection, tenant: UUID, tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter").touch()
    with pytest.raises(LabError, match="is not an empty folder"):
        export.export_tenant(reader, tenant, tmp_path / "full")
    with pytest.raises(LabError, match="has no tenant"):
        export.export_tenant(reader, uuid4(), tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["full"]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("copy (from (select * replace (0 as sent) from ({rows})) order by all)", "0 of another"),
        ("copy (from marts.campaign_daily order by all)", "[1-9][0-9]* of another tenant"),
        ("copy ({rows} limit 1)", "1 rows, expected"),
    ],
)
def test_what_is_written_wrongly_never_appears(
    reader: duckdb.DuckDBPyConnection,
    tenant: UUID,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    wrong: str,
    told: str,
) -> None:
    queries = sql.queries("warehouse/export.sql")
    right = "copy ({rows} order by all)"
    for name in ("write_tenant", "write_days"):
        assert right in queries[name]
        monkeypatch.setitem(queries, name, queries[name].replace(right, wrong))
    mart = next(mart for mart in export.daily() if mart.name == "campaign_daily")
    monkeypatch.setattr(marts, "discovered", lambda: (mart,))
    with pytest.raises(LabError, match=told):
        export.export_tenant(reader, tenant, tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_days_are_exported_as_partitions(
    built: Warehouse, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A range in one run; again, it replaces the days of the range and no others."""
    monkeypatch.setenv("OLTP_LAB_HOME", str(tmp_path))
    with built.open(read_only=True) as connection:
        mart = connection.table("marts.campaign_daily").order("all")
        columns, rows = mart.columns, mart.fetchall()
    days = sorted({row[columns.index("day")] for row in rows})
    first, last = days[-5], days[-1]
    folder = lab_settings.load().exports / "campaign_daily"
    (folder / f"day={days[-6]}").mkdir(parents=True)
    (folder / f"day={days[-2]}").mkdir()
    (folder / f"day={days[-2]}" / "stale.parquet").touch()
    done = dg.materialize(
        exports.assets,
        resources={"warehouse": built},
        tags={
            "dagster/asset_partition_range_start": str(first),
            "dagster/asset_partition_range_end": str(last),
        },
    )
    assert done.success
    written = duckdb.read_parquet(str(folder / "*" / "*.parquet"), hive_partitioning=True)
    ours = [row for row in rows if first <= row[columns.index("day")] <= last]
    assert written.select(*columns).order("all").fetchall() == ours
    assert {path.name for path in folder.iterdir()} == {f"day={day}" for day in days[-6:]}
    with built.open(read_only=True) as connection:
        daily = next(m for m in export.daily() if m.name == "campaign_daily")
        empty = last + timedelta(30)
        assert export.export_days(connection, daily, empty, empty, folder).rows == 0


def test_exports_run_when_they_are_asked_for_alone() -> None:
    graph = build_defs().resolve_asset_graph()
    jobs = {name: build_defs().resolve_job_def(name) for name in ("lab", "exports")}
    selected = {name: job.asset_layer.selected_asset_keys for name, job in jobs.items()}
    mine = {key for key in graph.get_all_asset_keys() if key.path[0] == "exports"}
    assert selected["exports"] == mine
    assert not selected["lab"] & mine
