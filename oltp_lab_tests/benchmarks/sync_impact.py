"""What syncs of everything, one after the other, do to the campaign workload.

On few cores a process beside a load costs it something whatever it does. So one that only computes,
as long as a sync, takes turns too: its rows are the limit.
"""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from oltp_lab.load import freshness
from oltp_lab.load.freshness_costs import NOTHING, Experiment
from oltp_lab.measuring.store import Measurements, Run
from oltp_lab_tests.benchmarks._scratch import clone

TURNS = 20
RATE = 150.0
GOALS = {"p50": 1.1, "p95": 1.5}
WAYS = {"batch": "sync_impact", "spin": "sync_impact, computing alone"}


def measure_sync_impact() -> list[dict[str, Any]]:
    """Latencies at a fixed rate while syncs run, in turns with none; intervals are of the turns."""
    read = Experiment.read("challenge")
    batch = replace(read.ways["batch"], reckoned=())
    spin = replace(batch, command=["-m", "oltp_lab_tests.benchmarks._spin"])
    experiment = replace(
        read,
        rate=RATE,
        ways={"batch": batch, "spin": spin},
        stretch=2.0,
        seconds=TURNS * 4 * (read.settle + 2.2),
        turns=TURNS,
    )
    with clone() as database, tempfile.TemporaryDirectory() as folder:
        run = Run.of(database, "bench", "bench")
        rows = freshness.execute(database, experiment, Measurements(Path(folder)), run)
    by_way = {row["way"]: row for row in rows}
    return [
        _row(by_way[way], by_way[NOTHING], name, told)
        for name in GOALS
        for way, told in WAYS.items()
    ]


def _row(beside: dict[str, Any], nothing: dict[str, Any], name: str, told: str) -> dict[str, Any]:
    return {
        "name": f"{told}, {name}",
        "ours": f"{beside[f'{name}_ms']:.1f} ms",
        "reference": f"{nothing[f'{name}_ms']:.1f} ms",
        "ratio": beside[f"{name}_ratio"],
        **{key: beside[f"{name}_{key}"] for key in ("low", "high") if beside[f"{name}_low"]},
        "goal": f"<= {GOALS[name]}" if beside["way"] == "batch" else "the limit here",
        "detail": (
            f"{beside['turns']} turns at {RATE:g}/s; each time {beside['piece_p50_s']:.2f} s, "
            f"{beside['rows_a_piece']:.0f} rows, {beside['process_cpu_s']:.2f} s of CPU"
        ),
    }
