"""One sync and refresh in a process of its own, as Dagster runs it: prints what it took as JSON.

Arguments: name of the OLTP database, file of the warehouse, and ``full_refresh`` to build all anew.
Seconds of the sync and of the refresh; ``peak_mb`` is the most memory that was resident at once,
DuckDB, Python and Dagster together; ``loaded_mb`` before anything was opened.
"""

import json
import resource
import sys
import time

from oltp_lab import definitions, servers, settings
from oltp_lab.resources.warehouse import Warehouse
from oltp_lab.warehouse import extraction, marts
from oltp_lab.warehouse.tables import describe


def main() -> None:
    name, file, *options = sys.argv[1:]
    full_refresh = "full_refresh" in options
    assert definitions.defs
    database = servers.oltp(settings.load()).sibling(name)
    measured = {"loaded_mb": _peak_mb()}
    began = time.monotonic()
    with Warehouse(database=file).open(holder="benchmark sync_memory") as connection:
        synced = extraction.sync(
            connection, database, describe(database), full_refresh=full_refresh
        )
        measured["rows"] = sum(done.rows for done in synced)
        measured["sync_s"] = time.monotonic() - began
        measured["sync_peak_mb"] = _peak_mb()
        began = time.monotonic()
        marts.refresh(connection, full_refresh=full_refresh)
        measured["refresh_s"] = time.monotonic() - began
        began = time.monotonic()
    measured["close_s"] = time.monotonic() - began
    measured["peak_mb"] = _peak_mb()
    print(json.dumps(measured))


def _peak_mb() -> float:
    """Linux counts in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
