"""What starts a micro-batch, and what does not."""

import uuid
from collections.abc import Iterator

import dagster as dg
import pytest
from duckdb import DuckDBPyConnection

from oltp_lab import settings as lab_settings
from oltp_lab.definitions import build_defs
from oltp_lab.errors import LabError
from oltp_lab.resources.warehouse import Warehouse
from oltp_lab.servers import Database, locks
from oltp_lab.warehouse import backlog, cadence, marts
from oltp_lab.warehouse.assets import mart_key, staging_key
from oltp_lab.warehouse.automation import BATCH, MICRO_BATCH, campaign_metrics_sensor
from oltp_lab.warehouse.tables import MIRRORED
from oltp_lab_tests.warehouse.business import LEADS, sync
from oltp_lab_tests.warehouse.test_assets import OneDatabase

RENAME = "update campaigns.leads set first_name = 'newer' where first_name = ''"


class Sensor:
    """The sensor of one database and warehouse, with an instance that knows what ran."""

    def __init__(self, oltp: Database, warehouse: Warehouse, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.resources = {"oltp": OneDatabase(name=oltp.name), "warehouse": warehouse}

    def tick(self) -> str:
        """Why nothing is run, or what changed."""
        with dg.build_sensor_context(self.instance, resources=self.resources) as context:
            answer = campaign_metrics_sensor(context)
        if isinstance(answer, dg.RunRequest):
            return f"run: {answer.tags['changed']}"
        assert isinstance(answer, dg.SkipReason)
        return str(answer.skip_message)

    def ran(self, job: str, status: dg.DagsterRunStatus) -> None:
        self.instance.add_run(dg.DagsterRun(job_name=job, run_id=str(uuid.uuid4()), status=status))


@pytest.fixture
def sensor(oltp: Database, warehouse: Warehouse) -> Iterator[Sensor]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Sensor(oltp, warehouse, instance)


def change(database: Database, statement: str) -> None:
    with database.connect("lab_platform") as platform:
        platform.execute(statement.encode())


def test_a_change_of_campaigns_starts_one_run(
    sensor: Sensor, oltp: Database, warehouse: Warehouse
) -> None:
    assert "no warehouse" in sensor.tick()
    with warehouse.open() as connection:
        with pytest.raises(LabError, match="nothing was synced"):
            backlog.marks(connection)
        sync(connection, oltp)
    assert sensor.tick() == "nothing has changed"
    change(oltp, "update public.tenants set name = name || ' & Co.'")
    assert sensor.tick() == "nothing has changed"  # that micro-batches would take in

    with oltp.connect("lab_platform") as slow:  # began before the next sync and ends after it
        slow.execute("update campaigns.leads set last_name = 'slow' where first_name is null")
        change(oltp, RENAME)
        assert sensor.tick() == "run: campaigns.leads"
        with warehouse.open() as connection:
            sync(connection, oltp)
        assert sensor.tick() == "nothing has changed"
    assert sensor.tick() == "run: campaigns.leads"
    with warehouse.open() as connection:
        sync(connection, oltp)
    change(oltp, "delete from campaigns.events where kind = 'clicked'")
    assert sensor.tick() == "run: campaigns.events"

    with locks.held(lab_settings.load(), "load", holder="a load run"):
        assert "a load run" in sensor.tick()
    for job in (MICRO_BATCH, BATCH):
        sensor.ran(job, dg.DagsterRunStatus.STARTED)
        assert f"{job} is under way" in sensor.tick()
        sensor.ran(job, dg.DagsterRunStatus.SUCCESS)
        assert sensor.tick() == "run: campaigns.events"
    sensor.ran(MICRO_BATCH, dg.DagsterRunStatus.FAILURE)
    assert "the next batch tries" in sensor.tick()

    change(oltp, "update lab.incarnation set incarnation = gen_random_uuid()")
    sensor.ran(MICRO_BATCH, dg.DagsterRunStatus.SUCCESS)
    assert sensor.tick() == "nothing has changed"  # snapshots of another database say nothing


def test_the_backlog_is_what_the_next_sync_takes_in(
    oltp: Database, connection: DuckDBPyConnection
) -> None:
    sync(connection, oltp)
    marks = backlog.marks(connection)
    assert set(backlog.rows(oltp, MIRRORED, marks).values()) == {0}
    change(oltp, RENAME)
    change(oltp, "delete from campaigns.events where kind = 'clicked'")
    waiting = {name: rows for name, rows in backlog.rows(oltp, MIRRORED, marks).items() if rows}
    done = sync(connection, oltp)
    taken_in = {name: did.rows + did.deleted for name, did in done.items()}
    assert waiting == {name: rows for name, rows in taken_in.items() if rows}
    assert set(waiting) == {LEADS.label, "campaigns.events"}


def test_bounds_are_in_order() -> None:
    for table in MIRRORED:
        for bounds in (cadence.age(table), cadence.lag(table), cadence.BACKLOG_ROWS):
            assert 0 < bounds.warn < bounds.fail
    assert cadence.is_live(LEADS)
    assert not all(map(cadence.is_live, MIRRORED))


def test_the_jobs_take_what_is_theirs() -> None:
    """The batch everything with its checks; micro-batches compare no table with the OLTP."""
    definitions = build_defs()
    batch, micro_batch = (definitions.resolve_job_def(name) for name in (BATCH, MICRO_BATCH))
    kept = {staging_key(table) for table in MIRRORED} | set(map(mart_key, marts.discovered()))
    live = {mart_key(mart) for mart in cadence.LIVE_MARTS} | {
        staging_key(table) for table in MIRRORED if cadence.is_live(table)
    }
    assert batch.asset_layer.selected_asset_keys == kept
    assert micro_batch.asset_layer.selected_asset_keys == live
    steps = {node.name for node in micro_batch.nodes}
    assert {"reconciliation", "freshness", "marts_freshness"} < {n.name for n in batch.nodes}
    assert steps == {"staging", "marts"}
