"""What Dagster sees: an asset a table with its metadata, and checks that block."""

from collections.abc import Callable
from typing import Any

import dagster as dg
import pytest

from oltp_lab import catalog
from oltp_lab.resources import MeasurementsResource, Oltp, Scale, table_key
from oltp_lab.sample_data import rules
from oltp_lab.sample_data.assets import assets
from oltp_lab.sample_data.checks import checks
from oltp_lab.servers import Database

# Dagster still uses names that pydantic deprecates.
pytestmark = pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince20")


Materialize = Callable[..., dg.ExecuteInProcessResult]


def _values(event: dg.AssetMaterialization | dg.AssetCheckEvaluation) -> dict[str, Any]:
    return {name: entry.value for name, entry in event.metadata.items()}


class Given(Oltp):
    """The resource, over a test's database."""

    name: str

    def database(self) -> Database:
        return super().database().sibling(self.name)


@pytest.fixture
def materialize(seeded: Database) -> Materialize:
    def run(raise_on_error: bool = True, **config: object) -> dg.ExecuteInProcessResult:
        return dg.materialize(
            [*assets, *checks],
            resources={
                "oltp": Given(name=seeded.name),
                "measurements": MeasurementsResource(),
                "scale": Scale(name="smoke"),
            },
            run_config={"ops": {"sample_data": {"config": config}}},
            raise_on_error=raise_on_error,
        )

    return run


def test_every_table_is_an_asset_with_its_rows_and_columns(materialize: Materialize) -> None:
    result = materialize()
    assert result.success
    made = {e.asset_key: e.materialization for e in result.get_asset_materialization_events()}
    assert made.keys() == {table_key(*table) for table in catalog.tables()}
    leads = _values(made[table_key("campaigns", "leads")])
    assert leads["dagster/row_count"] == 1000
    assert leads["rebuilt"] is False
    columns = {column.name: column for column in leads["dagster/column_schema"].columns}
    assert columns["email_norm"].description.startswith("Address in lower case")
    assert not columns["email"].constraints.nullable
    query = "select rows from tables where table_name = 'campaigns.leads' and run_id = $1"
    assert MeasurementsResource().store().read(query, [result.run_id])["rows"].tolist() == [1000]


def test_the_launchpad_picks_the_seed(materialize: Materialize) -> None:
    (event, *_) = materialize(seed=5).get_asset_materialization_events()
    made = _values(event.materialization)
    assert (made["rebuilt"], made["seed"]) == (True, 5)
    assert made["rows_per_second"] > 0


@pytest.mark.parametrize("seed", [-1, 2**63, "one"])
def test_a_seed_that_cannot_be_is_refused(materialize: Materialize, seed: object) -> None:
    with pytest.raises((dg.DagsterInvalidConfigError, ValueError), match="seed"):
        materialize(seed=seed)


def test_each_rule_is_a_blocking_check(materialize: Materialize, seeded: Database) -> None:
    with seeded.connect("lab_platform") as connection:
        connection.execute(
            "delete from campaigns.events where ctid = (select min(ctid) from campaigns.events)"
        )
    evaluations = materialize(raise_on_error=False).get_asset_check_evaluations()
    assert {e.check_name for e in evaluations} == {rule.name for rule in rules.rules()}
    assert all(e.blocking and e.severity == dg.AssetCheckSeverity.ERROR for e in evaluations)
    failed = {e.check_name: e for e in evaluations if not e.passed}
    assert "sent_once" in failed
    assert _values(failed["sent_once"])["offending_rows"] == 1.0


def test_descriptions_come_from_the_tables_comments() -> None:
    specs = {spec.key: spec for spec in assets[0].specs}
    assert specs[table_key("campaigns", "leads")].description == "People a tenant writes to."
    assert all(spec.description and spec.owners and spec.kinds for spec in specs.values())
