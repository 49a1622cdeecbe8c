"""What Dagster sees: one run syncs, builds, checks, and leaves its measurements."""

from collections.abc import Mapping
from pathlib import Path

import dagster as dg
import pytest

from oltp_lab import servers
from oltp_lab import settings as lab_settings
from oltp_lab.measuring.store import Measurements
from oltp_lab.resources import MeasurementsResource, Oltp, Scale, Warehouse
from oltp_lab.servers import Database, locks
from oltp_lab.settings import Settings
from oltp_lab.warehouse.assets import assets
from oltp_lab.warehouse.automation import analytics_sync_schedule
from oltp_lab.warehouse.checks import checks
from oltp_lab.warehouse.tables import MIRRORED

LEADS = dg.AssetKey(["staging", "leads"])
DAILY = dg.AssetKey(["marts", "campaign_daily"])


class OneDatabase(Oltp):
    """One of the test's databases."""

    name: str

    def database(self) -> Database:
        return servers.oltp(lab_settings.load()).sibling(self.name)


def run(
    oltp: Database,
    warehouse: Warehouse,
    *,
    raises: bool = True,
    bounds: Mapping[str, object] | None = None,
    selection: dg.AssetSelection | None = None,
    **config: object,
) -> dg.ExecuteInProcessResult:
    """Everything of the warehouse in one run; ``config`` is how it is to sync."""
    return dg.materialize(
        [*assets, *checks],
        selection=selection,
        resources={
            "oltp": OneDatabase(name=oltp.name),
            "warehouse": warehouse,
            "measurements": MeasurementsResource(),
            "scale": Scale(name="smoke"),
        },
        run_config={
            "ops": {
                "staging": {"config": config},
                **({"freshness": {"config": bounds}} if bounds else {}),
            }
        },
        raise_on_error=raises,
    )


def metadata(result: dg.ExecuteInProcessResult, key: dg.AssetKey) -> dict:
    (event,) = (
        e.materialization
        for e in result.get_asset_materialization_events()
        if e.materialization.asset_key == key
    )
    return {name: value.value for name, value in event.metadata.items()}


def synced_by(result: dg.ExecuteInProcessResult) -> dict[dg.AssetKey, str]:
    """The staging tables that a run synced, and how."""
    keys = {event.asset_key for event in result.get_asset_materialization_events()}
    return {key: metadata(result, key)["mode"] for key in keys if key and key.path[0] == "staging"}


def test_runs_sync_check_and_build(
    settings: Settings, oltp: Database, warehouse: Warehouse
) -> None:
    """The first reads all; the second finds a row gone and builds no mart; the third heals."""
    first = run(oltp, warehouse)
    known = metadata(first, LEADS)
    assert (known["mode"], known["dagster/row_count"], known["rows"]) == ("full", 90, 90)
    email = next(c for c in known["dagster/column_schema"].columns if c.name == "email")
    assert (email.type, email.description) == ("varchar", "Address as it was given.")
    daily = metadata(first, DAILY)
    assert daily["dagster/row_count"] > 0
    assert "[campaigns.events](/assets/oltp/campaigns/events).`kind`" in daily["lineage"]
    replied = next(c for c in daily["dagster/column_schema"].columns if c.name == "replied")
    assert replied.description == "Replies. From staging.events.kind."
    evaluations = first.get_asset_check_evaluations()
    assert {e.check_name for e in evaluations} == {
        "equals_oltp", "data_age", "propagation_lag", "backlog", "behind_staging",
        "equals_staging", "equals_live_counters",
    }  # fmt: skip
    assert all(evaluation.passed for evaluation in evaluations)

    with warehouse.open() as connection:
        connection.execute("delete from staging.leads where first_name = ''")
    with oltp.connect("lab_platform") as platform:
        platform.execute("update campaigns.leads set last_name = 'Ada' where first_name is null")
    second = run(oltp, warehouse, raises=False)
    assert metadata(second, LEADS)["mode"] == "increment"
    assert metadata(second, LEADS)["lag_p95_s"] > 0
    (failed,) = (e for e in second.get_asset_check_evaluations() if not e.passed)
    assert (failed.asset_key, failed.check_name) == (LEADS, "equals_oltp")
    assert "campaigns.leads: tenant " in (failed.description or "")
    assert not second.success
    assert not any("marts" in event.step_key for event in second.all_events if event.step_key)
    synced = Measurements(settings.measurements).read(
        "select table_name from syncs where run_id = ?", [second.run_id]
    )
    assert set(synced["table_name"]) == {table.label for table in MIRRORED}

    unchecked = dg.AssetSelection.key_prefixes("staging", "marts").without_checks()
    named = run(oltp, warehouse, tables=["campaigns.leads"], selection=unchecked)
    assert synced_by(named) == {LEADS: "none"}
    late = {"data_age_s": {"warn": -1, "fail": 60}, "backlog_rows": {"warn": -2, "fail": -1}}
    checked = dg.AssetSelection.key_prefixes("staging")
    third = run(
        oltp, warehouse, full_refresh=True, tables=["campaigns.leads"], bounds=late,
        selection=checked,
    )  # fmt: skip
    severities = {
        e.check_name: e.severity.value for e in third.get_asset_check_evaluations() if not e.passed
    }
    assert severities == {"data_age": "WARN", "backlog": "ERROR"}
    (heals,) = (key for key, mode in synced_by(third).items() if mode == "full")
    assert heals == LEADS
    assert len(synced_by(third)) == len(MIRRORED)


def test_an_unknown_table_is_one_sentence(oltp: Database, warehouse: Warehouse) -> None:
    """Before anything is touched."""
    refused = run(oltp, warehouse, raises=False, tables=["campaigns.events", "events"])
    assert not refused.success
    told = str(refused.failure_data_for_node("staging"))
    assert "'events' is no table that this run can sync" in told
    assert not Path(warehouse.database).exists()


def test_a_missing_policy_fails_the_run_and_names_the_table(
    oltp: Database, warehouse: Warehouse
) -> None:
    with oltp.connect() as owner:
        owner.execute("drop policy analytics on campaigns.events")
    result = run(oltp, warehouse, raises=False)
    assert not result.success
    failure = result.failure_data_for_node("staging")
    assert "campaigns.events: no policy for select" in str(failure)
    assert not Path(warehouse.database).exists()


def test_the_schedule_waits_for_the_first_run_and_for_load_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OLTP_LAB_HOME", str(tmp_path))
    with dg.build_schedule_context() as context:
        assert isinstance(analytics_sync_schedule(context), dg.SkipReason)
        (tmp_path / "warehouse.duckdb").touch()
        assert isinstance(analytics_sync_schedule(context), dg.RunRequest)
        with locks.held(lab_settings.load(), "load", holder="a load run"):
            skipped = analytics_sync_schedule(context)
        assert isinstance(skipped, dg.SkipReason)
        assert "a load run" in (skipped.skip_message or "")
