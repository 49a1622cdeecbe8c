"""The job, on a database that the run config names: what it says, and that it fails."""

import dagster as dg
import pytest

from oltp_lab.definitions import build_defs
from oltp_lab.servers import Database
from oltp_lab.settings import Settings
from oltp_lab_tests.isolation.conftest import GIVEN, url_of


@pytest.fixture
def run_config(theirs: Database, settings: Settings) -> dict:
    return {"resources": {"subject": {"config": {"url": url_of(theirs), **GIVEN}}}}


def _run(run_config: dict) -> dg.ExecuteInProcessResult:
    job = build_defs().resolve_job_def("isolation")
    return job.execute_in_process(run_config=run_config, raise_on_error=False)


def _evaluations(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {found.check_name: found for found in result.get_asset_check_evaluations()}


def test_a_leak_fails_the_job_and_names_what_leaked(run_config: dict) -> None:
    result = _run(run_config)
    assert not result.success
    told = _evaluations(result)["nothing_leaks"]
    assert not told.passed and told.blocking
    description = told.description or ""
    assert description.startswith("the database leaks: ")
    assert "public.bare" in description and "as theirs_app" in description
    assert {"isolated"} & set(_evaluations(result)) == set(), "the tables of the lab are not judged"
    assert "🔴" in str(told.metadata["matrix"].value)


def test_without_holes_it_succeeds_and_what_is_the_labs_alone_is_not_called_passed(
    theirs: Database, run_config: dict
) -> None:
    with theirs.connect() as connection:
        connection.execute("drop table bare, unused; alter table notes drop constraint notes_pkey")
    result = _run(run_config)
    assert result.success
    found = _evaluations(result)
    assert found["nothing_leaks"].passed
    assert not found["every_mutant_is_caught"].passed
    assert (found["every_mutant_is_caught"].description or "").startswith("not tried")
