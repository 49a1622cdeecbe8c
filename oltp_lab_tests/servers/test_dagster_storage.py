"""Dagster's own records live on the neighbours' server, as ``dagster.yaml`` says."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from oltp_lab import servers
from oltp_lab.servers import databases
from oltp_lab.settings import Settings
from oltp_lab_tests.servers.helpers import LIMIT, PYTHONPATH, ROOT


@dg.asset
def greeting() -> dg.MaterializeResult:
    print("hello from a step")  # goes to the compute log
    return dg.MaterializeResult(metadata={"dagster/row_count": 3})


@pytest.fixture
def dagster_home(tmp_path: Path) -> str:
    shutil.copy(ROOT / "dagster.yaml", tmp_path)
    return str(tmp_path)


def materialize(dagster_home: str) -> str:
    with dg.DagsterInstance.from_config(dagster_home) as instance:
        result = dg.materialize([greeting], instance=instance)
        assert result.success
    with dg.DagsterInstance.from_config(dagster_home) as another:
        event = another.get_latest_materialization_event(dg.AssetKey("greeting"))
        assert event and event.asset_materialization
        assert event.asset_materialization.metadata["dagster/row_count"].value == 3
        assert not another.telemetry_enabled
    return result.run_id


def runs(database: servers.Database) -> list[str]:
    with database.connect() as session:
        return [row[0] for row in session.execute("select run_id from runs")]


def test_round_trip(home: Path, dagster_home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLTP_LAB_HOME", str(home))
    run_id = materialize(dagster_home)
    assert run_id in runs(servers.neighbours(Settings(home, "smoke"), "dagster"))
    logs = (home / "dagster" / "compute_logs" / run_id).rglob("*.out")
    assert [path.read_text() for path in logs] == ["hello from a step\n"]


def test_given_database(
    tmp_path: Path,
    dagster_home: str,
    given: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = Settings(tmp_path / "home", "smoke", neighbours_url=given("maker"))
    database = servers.neighbours(settings, "records")
    url = given("maker").replace("/postgres?", f"/{database.name}?")
    monkeypatch.setenv("OLTP_LAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", url)
    assert materialize(dagster_home) in runs(database)
    databases.drop(database)


def test_bad_url_is_one_line_of_the_command(dagster_home: str, tmp_path: Path) -> None:
    definitions = tmp_path / "tiny.py"
    definitions.write_text(
        "import dagster as dg\n@dg.asset\ndef x(): ...\n"
        "defs = dg.Definitions(assets=[x], jobs=[dg.define_asset_job('lab')])\n"
    )
    variables = {
        "PYTHONPATH": PYTHONPATH,
        "OLTP_LAB_HOME": str(tmp_path / "home"),
        "DAGSTER_POSTGRES_URL": "postgresql://u:s3cret@127.0.0.1:1/",
    }
    result = subprocess.run(
        [sys.executable, "-m", "dagster", "job", "execute", "-f", definitions, "-j", "lab"],
        cwd=dagster_home,
        env=variables,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert result.returncode == 1
    said = result.stderr.splitlines()[-1]
    assert said.startswith("Error: cannot connect to the server of DAGSTER_POSTGRES_URL: ")
    assert "Traceback" not in result.stderr
    assert "s3cret" not in result.stderr
