"""What syncs of everything, one after the other, do to the campaign workload."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from oltp_lab.load import freshness
from oltp_lab.load.freshness_costs import Experiment
from oltp_lab.measuring.store import Measurements, Run
from oltp_lab_tests.benchmarks._scratch import clone

TURNS = 20
GOALS = {"p50": 1.1, "p95": 1.5}


def measure_sync_impact() -> list[dict[str, Any]]:
    """Latencies at a fixed rate while syncs run, in turns with none; intervals are of the turns."""
    read = Experiment.read("challenge")
    experiment = replace(
        read,
        ways={"batch": replace(read.ways["batch"], reckoned=())},
        stretch=2.0,
        seconds=TURNS * 3 * (read.settle + 2.2),
        turns=TURNS,
    )
    with clone() as database, tempfile.TemporaryDirectory() as folder:
        run = Run.of(database, "bench", "bench")
        rows = freshness.execute(database, experiment, Measurements(Path(folder)), run)
    nothing, again, synced = rows
    return [
        {
            "name": f"sync_impact, {name}",
            "ours": f"{synced[f'{name}_ms']:.1f} ms",
            "reference": f"{nothing[f'{name}_ms']:.1f} ms",
            "ratio": synced[f"{name}_ratio"],
            **{key: synced[f"{name}_{key}"] for key in ("low", "high") if synced[f"{name}_low"]},
            "goal": f"<= {goal}",
            "detail": (
                f"{synced['turns']} turns at {experiment.rate:g}/s; nothing again "
                f"{again[f'{name}_ratio']:.2f}; a sync: {synced['piece_p50_s']:.2f} s, "
                f"{synced['rows_a_piece']:.0f} rows, {synced['process_cpu_s']:.2f} s of CPU"
            ),
        }
        for name, goal in GOALS.items()
    ]
