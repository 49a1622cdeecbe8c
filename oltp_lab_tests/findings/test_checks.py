"""The job ``findings`` as its users run it, on measurement files of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from oltp_lab.warehouse import marts
from oltp_lab_tests.findings import measured

ROOT = Path(__file__).parents[2]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A lab home where everything was measured and the warehouse has its marts."""
    home = tmp_path / "home"
    measured.everything(home)
    with duckdb.connect(home / "warehouse.duckdb") as warehouse:
        warehouse.execute("create schema marts")
        for mart in marts.discovered():
            warehouse.execute(f"create table marts.{mart.name} (rows bigint)")
    return home


def _run_findings(home: Path) -> subprocess.CompletedProcess[str]:
    # Away from the project's dagster.yaml: no server is needed for this.
    environment = {**os.environ, "OLTP_LAB_HOME": str(home), "PYTHONPATH": str(ROOT)}
    environment.pop("DAGSTER_HOME", None)
    command = [Path(sys.executable).with_name("dagster"), "job", "execute"]
    return subprocess.run(
        [*command, "-m", "oltp_lab.definitions", "-j", "findings"],
        cwd=home.parent,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_job_writes_the_page_and_says_what_was_found(home: Path) -> None:
    done = _run_findings(home)
    assert done.returncode == 0, done.stdout[-3000:]
    assert (home / "report" / "index.html").is_file()
    assert "isolation: 3 probes, 0 leaks, 0 not proven" in done.stdout
    assert f"report: {home / 'report' / 'index.html'}" in done.stdout


def test_an_answer_that_is_not_there_fails_the_job(home: Path) -> None:
    shutil.rmtree(home / "measurements")  # all of it, as a page of little is soon drawn
    done = _run_findings(home)
    assert done.returncode == 1
    assert "measurement:syncs.age_s, which is not there" in done.stdout
