"""Calls of one session in turns with a bare statement: what a client waits for, as a ratio."""

import os
import re
import statistics
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from oltp_lab import servers
from oltp_lab.servers import Database

BARE = "bare"
_LIMIT_S = 60


def measure(
    database: Database,
    tenant: str,
    scripts: Mapping[str, str],
    *,
    goal: float,
    rounds: int = 7,
    seconds: int = 2,
) -> list[dict[str, Any]]:
    """A row for each script but the one called ``bare``, which each is compared with.

    Each is prepared, run by lab_app in the tenant's context, a transaction of its own a call. The
    ratio is the median of the turns' ratios.
    """
    with tempfile.TemporaryDirectory(dir=database.server.settings.home) as folder:
        files = {arm: Path(folder) / f"{arm}.sql" for arm in scripts}
        for arm, text in scripts.items():
            files[arm].write_text(text, "utf-8")
        turns = [
            {arm: rate(database, tenant, file, seconds) for arm, file in files.items()}
            for _ in range(rounds)
        ]
    return [
        {
            "name": f"{arm}, calls/s",
            "ours": round(statistics.median(turn[arm] for turn in turns)),
            "reference": round(statistics.median(turn[BARE] for turn in turns)),
            "ratio": statistics.median(turn[arm] / turn[BARE] for turn in turns),
            "goal": f">= {goal}",
            "detail": "; ".join(f"{turn[arm]:.0f} against {turn[BARE]:.0f}" for turn in turns),
        }
        for arm in scripts
        if arm != BARE
    ]


def rate(database: Database, tenant: str, script: Path, seconds: int) -> float:
    """Transactions per second of one session."""
    command = [str(servers.binary("pgbench")), "--no-vacuum", "--protocol=prepared"]
    command += [f"--time={seconds}", f"--file={script}", "--exit-on-abort"]
    environment = {**os.environ, **database.environment("lab_app"), "LC_ALL": "C"}
    environment["PGOPTIONS"] = f"-c nile.tenant_id={tenant}"
    ran = subprocess.run(
        command, env=environment, timeout=_LIMIT_S, check=True, capture_output=True, text=True
    )
    (found,) = re.findall(r"^tps = ([\d.]+)", ran.stdout, re.MULTILINE)
    return float(found)
