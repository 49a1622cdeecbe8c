"""How fast a server is at this moment: a fixed script's transactions/s, taken right before a load.

Divided by it, throughputs of different days can be compared: what is slower on a machine that is
slower today is not slower. One number cannot follow each resource by itself (a slower disk does not
slow a script that only reads), which is what tolerances are for.
"""

import re
import subprocess

from oltp_lab import sql
from oltp_lab.errors import LabError
from oltp_lab.servers import Database, binary, busy, processes

SECONDS = 1
SHORTEST = 2.0
"""Seconds; a shorter load is no figure to be compared with another day's, and is not delayed."""
SESSIONS = 4
"""Fixed, as the figure is of the server alone; enough to keep a few cores and a disk busy."""
_LIMIT = 30.0
_TPS = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)


def measure(database: Database) -> float:
    """Transactions/s of ``sql/measuring/calibration.sql``, run by the administrator.

    Raises LabError when it breaks.
    """
    command = [str(binary("pgbench")), "--no-vacuum", "--protocol=extended", "--exit-on-abort"]
    command += [f"--client={SESSIONS}", "--jobs=2", f"--time={SECONDS}"]
    command += [f"--file={sql.path('measuring/calibration.sql')}"]
    with (
        busy.busy(),
        processes.spawn(
            database.server.settings,
            command,
            limit=_LIMIT,
            environment={**database.environment(), "PGAPPNAME": "oltp_lab calibration"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as child,
    ):
        said, _ = child.communicate()
    if child.returncode or not (found := _TPS.search(said)):
        reason = (said.partition("error: ")[2].strip().splitlines() or ["no figure was given"])[0]
        raise LabError(f"the calibration broke: {reason}")
    return float(found[1])
