"""The commands of the README, each as a process of its own, on a lab home of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import psutil
import pytest

from oltp_lab import servers
from oltp_lab import settings as lab_settings

ROOT = Path(__file__).parents[2]
LAB = ("dagster", "job", "execute", "-m", "oltp_lab.definitions", "-j")

# Sample rows are all but what hangs off a load run's campaigns.
SAMPLE = """
    with load as (select tenant_id, id from campaigns.campaigns where external_id like 'load:%')
    select md5(string_agg(row_hash, '' order by row_hash)) from (
        select md5(c::text) as row_hash from campaigns.campaigns c
        where (tenant_id, id) not in (select * from load)
        union all select md5(l::text) from campaigns.leads l
        union all select md5(e::text) from campaigns.enrollments e
        where (tenant_id, campaign_id) not in (select * from load)
        union all select md5(e::text) from campaigns.events e
        where (tenant_id, campaign_id) not in (select * from load)
    ) as rows
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("e2e") / "lab home"


@pytest.fixture(scope="module")
def run(home: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    environment = {
        **os.environ,
        "OLTP_LAB_HOME": str(home),
        "OLTP_LAB_SCALE": "smoke",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    environment.pop("DAGSTER_HOME", None)

    def execute(*command: str, **changes: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=ROOT,
            env={**environment, **changes},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=420,
            check=False,
        )

    return execute


def _sql(home: Path, statement: str) -> object:
    """One statement by the administrator of that home's database."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OLTP_LAB_HOME", str(home))
        with servers.oltp(lab_settings.load()).connect() as connection:
            cursor = connection.execute(statement)  # type: ignore[arg-type]
            return cursor.fetchone() if cursor.description else None


def _servers_of(home: Path) -> list[str]:
    """Processes whose command line names the home."""
    own = psutil.Process().pid
    return [
        " ".join(process.info["cmdline"])
        for process in psutil.process_iter(["pid", "cmdline"])
        if process.info["pid"] != own and str(home) in " ".join(process.info["cmdline"] or ())
    ]


def test_the_lab_end_to_end(
    home: Path, run: Callable[..., subprocess.CompletedProcess], tmp_path: Path
) -> None:
    first = run(*LAB, "lab")
    assert first.returncode == 0, first.stdout[-4000:]
    assert _servers_of(home) == []
    told = run(sys.executable, "-m", "oltp_lab.findings")
    assert str(home / "report" / "index.html") in told.stdout
    assert (home / "report" / "index.html").stat().st_size > 20_000

    before = _sql(home, SAMPLE)
    for job in ("build", "analytics_sync"):
        again = run(*LAB, job)
        assert again.returncode == 0, again.stdout[-4000:]
    assert _sql(home, SAMPLE) == before

    _sql(home, "alter policy tenant on campaigns.leads using (true)")
    config = tmp_path / "run.yaml"  # all the mutants were tried before
    config.write_text("ops: {isolation__mutants: {config: {mutants: [using_true]}}}")
    broken = run(*LAB, "isolation", "-c", str(config))
    assert broken.returncode != 0
    assert "campaigns.leads leaks" in broken.stdout


def test_a_locked_warehouse_is_told_without_frames(
    home: Path, run: Callable[..., subprocess.CompletedProcess], tmp_path: Path
) -> None:
    """After the lab, whose database is still there."""
    config = tmp_path / "run.yaml"
    config.write_text("resources: {warehouse: {config: {timeout: 1}}}")
    with duckdb.connect(home / "warehouse.duckdb"):
        failed = run(*LAB, "analytics_sync", "-c", str(config))
    assert failed.returncode != 0
    assert f"is in use by process {os.getpid()}" in failed.stdout
    assert 'File "' not in failed.stdout


def test_definitions_validate(run: Callable[..., subprocess.CompletedProcess]) -> None:
    validated = run("dagster", "definitions", "validate")
    assert validated.returncode == 0, validated.stdout


def test_a_file_that_is_no_warehouse_stops_the_run_before_it_begins(
    run: Callable[..., subprocess.CompletedProcess], tmp_path: Path
) -> None:
    (tmp_path / "warehouse.duckdb").write_text("somebody's notes, not a database")
    failed = run(*LAB, "lab", OLTP_LAB_HOME=str(tmp_path))
    assert failed.returncode != 0
    assert "is not a DuckDB file" in failed.stdout
    assert 'File "' not in failed.stdout
    assert not (tmp_path / "oltp").exists()


def test_a_sync_before_any_build_says_to_build(
    run: Callable[..., subprocess.CompletedProcess], tmp_path: Path
) -> None:
    failed = run(*LAB, "analytics_sync", OLTP_LAB_HOME=str(tmp_path))
    assert failed.returncode != 0
    assert "oltp_lab holds no schema yet: run the job `build` first" in failed.stdout
    assert 'File "' not in failed.stdout


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"OLTP_LAB_SCALE": "huge"}, "OLTP_LAB_SCALE"),
        ({"OLTP_LAB_POSTGRES_URL": "postgresql://nobody@localhost:1/x"}, "OLTP_LAB_POSTGRES_URL"),
        ({"OLTP_LAB_HOME": "/proc/oltp_lab"}, "OLTP_LAB_HOME"),
    ],
)
def test_bad_input_is_one_sentence(
    run: Callable[..., subprocess.CompletedProcess], changes: dict[str, str], sentence: str
) -> None:
    failed = run(*LAB, "build", **changes)
    assert failed.returncode != 0
    assert sentence in failed.stdout
    assert "Traceback" not in failed.stdout
    assert 'File "' not in failed.stdout
