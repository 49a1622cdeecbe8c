"""What the lab itself costs: wall time of the job in which no database was at work for it."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from oltp_lab import settings
from oltp_lab.measuring.store import Measurements

GOAL = 0.20
_LIMIT_S = 900


def measure_overhead() -> list[dict[str, Any]]:
    """The job ``lab`` at the scale of the environment; the ratio is the idle share of its time."""
    command = ["dagster", "job", "execute", "-m", "oltp_lab.definitions", "-j", "lab"]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    began = time.time()
    subprocess.run(command, env=environment, timeout=_LIMIT_S, check=True, capture_output=True)
    wall = time.time() - began
    busy = (
        Measurements(settings.load().measurements)
        .read("select busy_s from runs order by recorded_at desc limit 1")["busy_s"]
        .iloc[0]
    )
    return [
        {
            "name": "lab_overhead",
            "ours": f"{wall - busy:.1f} s idle",
            "reference": f"{wall:.1f} s",
            "ratio": (wall - busy) / wall,
            "goal": f"< {GOAL}",
        }
    ]
