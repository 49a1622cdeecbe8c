"""What Dagster sees: a run with its figures, and one that fails because isolation is broken."""

import dagster as dg
import pytest

from oltp_lab import servers, settings
from oltp_lab.load.assets import LoadConfig, assets
from oltp_lab.load.checks import checks
from oltp_lab.resources import MeasurementsResource, Oltp, Scale
from oltp_lab.servers import Database


class Sibling(Oltp):
    """Another database of the same server."""

    name: str

    def database(self) -> Database:
        return servers.oltp(settings.load()).sibling(self.name)


def _materialize(database: Database) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        [*assets, *checks],
        selection=["load/tenant_isolation"],
        resources={
            "oltp": Sibling(name=database.name),
            "measurements": MeasurementsResource(),
            "scale": Scale(name="smoke"),
        },
        run_config={
            "ops": {
                "load__tenant_isolation": {
                    "config": {"sessions": [2, 6], "seconds": 0.5, "warmup": 0.1}
                }
            }
        },
        raise_on_error=False,
    )


def test_a_run_and_its_metadata(seeded: Database) -> None:
    result = _materialize(seeded)
    assert result.success
    assert {check.check_name: check.passed for check in result.get_asset_check_evaluations()} == {
        "no_failed_sessions": True, "no_slower_than_before": True,
    }  # fmt: skip
    (event,) = result.get_asset_materialization_events()
    metadata = event.materialization.metadata
    assert "| direct_6 |" in str(metadata["arms"].value)
    assert "campaign_report" in str(metadata["operations"].value)
    assert "data:image/png;base64," in str(metadata["latency"].value)
    assert isinstance(metadata["p95_ms_direct_2_lead_lookup"].value, float)
    assert isinstance(metadata["tps_direct_6"].value, float)


def test_broken_isolation_fails_the_run_and_names_the_script(seeded: Database) -> None:
    with seeded.connect() as connection:
        connection.execute("alter policy tenant on campaigns.leads using (true)")
    result = _materialize(seeded)
    assert not result.success
    checks = {check.check_name: check for check in result.get_asset_check_evaluations()}
    check = checks["no_failed_sessions"]
    assert not check.passed
    assert check.blocking
    assert "isolation broken" in (check.description or "")


@pytest.mark.parametrize(
    "told",
    [
        {"sessions": [0]},
        {"sessions": [20_000]},
        {"seconds": 0},
        {"rate": -1},
        {"latency_limit_ms": 0},
    ],
)
def test_config_out_of_bounds_is_refused(told: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(told))):
        LoadConfig(**told)
