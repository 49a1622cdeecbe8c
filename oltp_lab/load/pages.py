"""What the pages of the load stage's assets show, as Dagster metadata."""

from collections.abc import Callable
from functools import partial
from typing import Any

import dagster as dg
import pandas as pd
from matplotlib.figure import Figure

from oltp_lab import sql
from oltp_lab.errors import LabError
from oltp_lab.load.rls_cost import NOISE
from oltp_lab.measuring import markdown, plots
from oltp_lab.measuring.store import Measurements, Run

QUERIES = "load/queries.sql"
_PLOTS: dict[str, Callable[[pd.DataFrame], Figure]] = {
    "throughput_against_p95": plots.throughput,
    "response_time_over_seconds": partial(plots.panels, draw=plots.lines),
    "waits": partial(plots.panels, draw=plots.areas),
    "cpu": partial(plots.panels, draw=plots.lines),
    "memory": partial(plots.panels, draw=plots.lines),
    "wal": partial(plots.panels, draw=plots.lines),
}
_TABLES = ("outcomes", "statements", "pools", "tenants")


def workload(store: Measurements, run: Run, name: str) -> dict[str, Any]:
    """What is shown of a workload's run."""
    asked = {"run_id": run.run_id, "workload": name}
    queries = sql.queries(QUERIES)
    arms, operations = (store.read(queries[name], asked) for name in ("arms", "operations"))
    metadata = {
        "arms": dg.MetadataValue.md(markdown.frame(arms)),
        "operations": dg.MetadataValue.md(markdown.frame(operations)),
        "latency": dg.MetadataValue.md(markdown.image(plots.latencies(operations), "Latency")),
        **_floats(arms, "tps_{arm}", "tps"),
        **_floats(arms, "server_cpu_percent_{arm}", "server_cpu_percent"),
        **_floats(arms, "server_memory_mb_{arm}", "server_memory_mb"),
        **_floats(operations, "p95_ms_{arm}_{operation}", "p95_ms"),
    }
    if "load_figures" in store.tables():
        figures = store.read(queries["figures"], asked)
        metadata["figures"] = dg.MetadataValue.md(markdown.frame(figures))
        metadata |= _floats(figures, "{figure}_{arm}", "value")
    return metadata | _shown(store, asked)


def _shown(store: Measurements, asked: dict[str, str]) -> dict[str, Any]:
    """The plots and tables whose queries have those names, where there is something to show."""
    shown: dict[str, Any] = {}
    for name in (*_PLOTS, *_TABLES):
        try:
            frame = store.read(sql.queries(QUERIES)[name], asked)
        except LabError:  # nothing of the kind was sampled
            continue
        if frame.empty:
            continue
        plot = _PLOTS.get(name)
        title = name.replace("_", " ").capitalize()
        text = markdown.image(plot(frame), title) if plot else markdown.frame(frame)
        shown[name] = dg.MetadataValue.md(text)
    return shown


def rls_cost(variants: pd.DataFrame) -> dict[str, Any]:
    """What is shown of the comparison."""
    compared = variants.query("verdict != @noise", local_dict={"noise": NOISE})
    shown = variants.drop(columns=["experiment", "baseline", "plan"])
    return {
        "variants": dg.MetadataValue.md(markdown.frame(shown)),
        "ratios": dg.MetadataValue.md(markdown.image(plots.ratios(variants), "Ratios")),
        **_floats(compared, "{operation}_{variant}", "ratio"),
        "noise": max(float(noise) for noise in variants["noise"]),
    }


def freshness(store: Measurements, ways: pd.DataFrame) -> dict[str, Any]:
    """What is shown of what fresh figures cost."""
    points = store.read(sql.queries(QUERIES)["freshness"])
    measured = ways.query("reckoned == False")
    shown = {}
    if len(points):  # of too few transactions there is no p95
        image = markdown.image(plots.freshness(points), "Freshness against cost")
        shown["freshness_against_cost"] = dg.MetadataValue.md(image)
    return {
        "ways": dg.MetadataValue.md(markdown.frame(ways)),
        **shown,
        "turns": int(ways["turns"].iloc[0]),
        **_floats(measured, "p95_ratio_{way}", "p95_ratio"),
        **_floats(measured, "behind_s_{way}", "behind_s"),
        **_floats(measured, "core_share_{way}", "core_share"),
    }


def _floats(frame: pd.DataFrame, name: str, column: str) -> dict[str, float]:
    """A figure a row, which Dagster plots over runs; what was not measured is left out."""
    measured = frame.dropna(subset=[column]).to_dict("records")
    return {name.format(**row): float(row[column]) for row in measured}
