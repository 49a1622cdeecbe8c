"""Names every asset, check, job, schedule and resource; ``defs`` is what Dagster loads."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from oltp_lab.findings.assets import assets as findings_assets
from oltp_lab.findings.checks import checks as findings_checks
from oltp_lab.isolation.assets import assets as isolation_assets
from oltp_lab.isolation.attacks.checks import checks as isolation_checks
from oltp_lab.isolation.resource import IsolationSubject
from oltp_lab.load.assets import assets as load_assets
from oltp_lab.load.checks import checks as load_checks
from oltp_lab.neighbours.assets import assets as neighbours_assets
from oltp_lab.neighbours.assets import schedules as neighbours_schedules
from oltp_lab.neighbours.dns.assets import RECHECK, dns_recheck
from oltp_lab.resources import MeasurementsResource, Oltp, Scale, Warehouse
from oltp_lab.sample_data.assets import assets as sample_data_assets
from oltp_lab.sample_data.checks import checks as sample_data_checks
from oltp_lab.schema.assets import assets as schema_assets
from oltp_lab.warehouse.assets import assets as warehouse_assets
from oltp_lab.warehouse.assets import mart_key, staging_key
from oltp_lab.warehouse.automation import BATCH, MICRO_BATCH, schedules, sensors
from oltp_lab.warehouse.cadence import LIVE_MARTS, is_live
from oltp_lab.warehouse.checks import checks as warehouse_checks
from oltp_lab.warehouse.exports import assets as export_assets
from oltp_lab.warehouse.loss_oracle.assets import assets as loss_oracle_assets
from oltp_lab.warehouse.tables import MIRRORED

default_assets = [
    *schema_assets,
    *sample_data_assets,
    *isolation_assets,
    *load_assets,
    *neighbours_assets,
    *warehouse_assets,
    *loss_oracle_assets,
    *export_assets,
    *findings_assets,
]
default_checks = [
    *sample_data_checks,
    *isolation_checks,
    *load_checks,
    *warehouse_checks,
    *findings_checks,
]
default_resources = {
    "oltp": Oltp(),
    "subject": IsolationSubject.configure_at_launch(),
    "warehouse": Warehouse(),
    "measurements": MeasurementsResource(),
    "scale": Scale.configure_at_launch(),
}


def default_jobs() -> list[Any]:
    """The named jobs; each is a selection of groups."""
    groups = dg.AssetSelection.groups
    attacks = dg.AssetSelection.checks(*isolation_checks)
    recheck = dg.AssetSelection.assets(dns_recheck)
    return [
        dg.define_asset_job(
            "lab",
            dg.AssetSelection.all() - groups("exports") - recheck,
            description="Everything but exports and what is due, in order.",
        ),
        dg.define_asset_job(
            "build",
            groups("schema", "sample_data") - attacks,
            description="The OLTP database and its sample data.",
        ),
        dg.define_asset_job(
            "isolation",
            attacks | groups("isolation"),
            description="Proofs of the isolation of tenants.",
        ),
        dg.define_asset_job("load", groups("load"), description="The load runs."),
        dg.define_asset_job(
            "neighbours",
            groups("schema", "sample_data", "neighbours") - attacks - recheck,
            description="Builds what is not there, then content, notifications, DNS, addresses, "
            "payments, log-ins: each over its own protocol.",
        ),
        dg.define_asset_job(
            RECHECK,
            recheck,
            description="Looks up the domains whose date has come, in the lab's own OLTP.",
        ),
        dg.define_asset_job(
            BATCH,
            dg.AssetSelection.key_prefixes("staging", "marts"),
            description="Extracts what changed into the warehouse, refreshes its marts, and "
            "reconciles both.",
        ),
        dg.define_asset_job(
            MICRO_BATCH,
            _micro_batch(),
            description="The same of what tells of campaigns, reconciled by the next batch only.",
        ),
        dg.define_asset_job(
            "exports", groups("exports"), description="Days of the daily marts as Parquet files."
        ),
        dg.define_asset_job("findings", groups("findings"), description="The report."),
    ]


def _micro_batch() -> dg.AssetSelection:
    """What tells of campaigns, without checks: each of them costs more than a micro-batch."""
    tables = [staging_key(table) for table in MIRRORED if is_live(table)]
    return dg.AssetSelection.assets(*tables, *map(mart_key, LIVE_MARTS)).without_checks()


def build_defs(*, resources: Mapping[str, Any] | None = None) -> dg.Definitions:
    """Fresh definitions; ``resources`` take the place of the defaults of the same name."""
    return dg.Definitions(
        assets=default_assets,
        asset_checks=default_checks,
        jobs=default_jobs(),
        schedules=[*schedules, *neighbours_schedules],
        sensors=sensors,
        resources={**default_resources, **(resources or {})},
        # One process: starting another costs more than most steps, and DuckDB has one writer.
        executor=dg.in_process_executor,
    )


defs = build_defs()
