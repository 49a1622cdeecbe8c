"""Where runs write down what they measured."""

import dagster as dg

from oltp_lab import settings
from oltp_lab.measuring.store import Measurements, Run
from oltp_lab.servers import Database


class MeasurementsResource(dg.ConfigurableResource):
    """The measurement store of this lab home."""

    def store(self) -> Measurements:
        """The store, a folder of Parquet files."""
        return Measurements(settings.load().measurements)

    def run(
        self,
        context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext,
        database: Database,
        scale: str,
    ) -> Run:
        """What every row of this Dagster run carries."""
        return Run.of(database, context.run.run_id, scale)
