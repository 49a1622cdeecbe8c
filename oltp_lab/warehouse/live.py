"""Do the live counters of the OLTP, the staged events and the mart of days tell the same?

They are counted apart: by each session as it writes, from what the sync read, and by increments of
the mart. As in ``reconciliation`` all are brought up to one snapshot in a transaction that is
undone, so that writers meanwhile are no difference.
"""

import duckdb

from oltp_lab import sql
from oltp_lab.servers import Database
from oltp_lab.warehouse import extraction, marts, reconciliation
from oltp_lab.warehouse.marts import Mart
from oltp_lab.warehouse.tables import MIRRORED, describe

DAILY = Mart("campaign_daily")


def differences(connection: duckdb.DuckDBPyConnection, database: Database) -> list[str]:
    """Sentences that name tenant, campaign and kind of event; the warehouse is left as it was."""
    queries = sql.queries("warehouse/checks/live_counters.sql")
    described = describe(database, [table for table in MIRRORED if table.name in DAILY.sources])
    with reconciliation.on_snapshot(connection, database) as taken:
        if any(extraction.watermark(connection, table, taken) is None for table in described):
            return ["staging is of another database: run the job `analytics_sync`"]
        for table in described:
            extraction.bring_up(connection, table, taken)
        marts.bring_up(connection, [DAILY])
        found = connection.execute(queries["differences"], [queries["live"]]).fetchall()
    return [told for (told,) in found]
