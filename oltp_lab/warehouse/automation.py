"""When the warehouse is filled by itself: batches by the clock, micro-batches upon changes."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from oltp_lab import settings
from oltp_lab.errors import LabError
from oltp_lab.resources import Oltp, Warehouse
from oltp_lab.servers import locks
from oltp_lab.warehouse import backlog, cadence
from oltp_lab.warehouse.cadence import BATCH_S, MICRO_BATCH_S
from oltp_lab.warehouse.tables import MIRRORED

BATCH, MICRO_BATCH = "analytics_sync", "campaign_metrics"
"""The jobs."""

_LIVE_TABLES = [table for table in MIRRORED if cadence.is_live(table)]
_UNFINISHED = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)


@dg.schedule(
    job_name=BATCH,
    cron_schedule=f"*/{BATCH_S // 60} * * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Keeps the warehouse as fresh as its policies ask, once the job `lab` has made it.",
)
def analytics_sync_schedule() -> dg.RunRequest | dg.SkipReason:
    current = settings.load()
    if not (current.motherduck or current.warehouse.exists()):
        return dg.SkipReason("there is no warehouse yet: run the job `lab` once")
    told = _load_run("analytics_sync_schedule")
    return dg.SkipReason(told) if told else dg.RunRequest()


@dg.sensor(
    job_name=MICRO_BATCH,
    minimum_interval_seconds=MICRO_BATCH_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Takes in what changed in campaigns, between two batches and one run at a time.",
)
def campaign_metrics_sensor(
    context: dg.SensorEvaluationContext, oltp: Oltp, warehouse: Warehouse
) -> dg.RunRequest | dg.SkipReason:
    if told := _load_run("campaign_metrics_sensor") or _waits_for(context.instance):
        return dg.SkipReason(told)
    at_once = warehouse.model_copy(update={"timeout": 0})
    try:
        with at_once.open(read_only=True) as connection:
            known = backlog.marks(connection)
    except LabError as error:  # a run is writing to it, or there is nothing in it yet
        return dg.SkipReason(error.message)
    changed = backlog.changed(oltp.database(), _LIVE_TABLES, known)
    if changed is None:
        return dg.SkipReason("nothing has changed")
    return dg.RunRequest(tags={"changed": changed})


def _load_run(asker: str) -> str | None:
    """The load run that is under way, if any: a sync beside it would be measured with it."""
    try:
        with locks.held(settings.load(), "load", holder=asker, timeout=0):
            return None
    except LabError as error:
        return error.message


def _waits_for(instance: dg.DagsterInstance) -> str | None:
    """The run that a micro-batch leaves the field to, if any.

    One that was killed is shown as running for hours; two batches later it is not waited for any
    more, and the warehouse's own lock keeps order.
    """
    now = datetime.now(UTC)
    for job in (MICRO_BATCH, BATCH):
        for record in instance.get_run_records(dg.RunsFilter(job_name=job), limit=1):
            run, age = record.dagster_run, now - record.create_timestamp.astimezone(UTC)
            if run.status in _UNFINISHED and age < timedelta(seconds=2 * BATCH_S):
                return f"{job} is under way (run {run.run_id})"
            failed = job == MICRO_BATCH and run.status == dg.DagsterRunStatus.FAILURE
            if failed and age < timedelta(seconds=BATCH_S):
                return f"the latest micro-batch failed (run {run.run_id}): the next batch tries"
    return None


schedules = [analytics_sync_schedule]
sensors = [campaign_metrics_sensor]
