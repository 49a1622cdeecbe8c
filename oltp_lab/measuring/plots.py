"""Plots of measurements as matplotlib figures."""

import pandas as pd
from matplotlib.figure import Figure

PERCENTILES = {"p50_ms": "p50", "p95_ms": "p95", "p99_ms": "p99, from 10,000 calls on"}


def latencies(operations: pd.DataFrame) -> Figure:
    """Latency over sessions, an axis a percentile, a line an operation.

    Columns: operation, sessions, p50_ms, p95_ms, p99_ms (null where there were too few calls).
    """
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    plots = figure.subplots(1, len(PERCENTILES), sharex=True, sharey=True)
    for axes, (column, title) in zip(plots, PERCENTILES.items(), strict=True):
        for operation, rows in operations.sort_values("sessions").groupby("operation"):
            axes.plot(rows["sessions"], rows[column], "o-", label=str(operation), markersize=4)
        sessions = sorted(operations["sessions"].unique())
        axes.set_xscale("log")
        axes.set_xticks(sessions, [f"{count:,}" for count in sessions])
        axes.minorticks_off()
        if len(operations["p50_ms"].dropna()):  # a log axis of nothing is an error
            axes.set_yscale("log")
        axes.set_title(title)
        axes.set_xlabel("sessions")
        axes.grid(alpha=0.3)
    plots[0].set_ylabel("ms")
    figure.legend(*plots[0].get_legend_handles_labels(), loc="outside right upper", frameon=False)
    return figure


def ratios(variants: pd.DataFrame) -> Figure:
    """Ratios to a baseline with their intervals; shaded is how far identical things were apart.

    Columns: operation, variant, ratio, low, high, noise (the A/A half-width as a share).
    """
    figure = Figure(figsize=(8, 0.9 + 0.34 * len(variants)), layout="constrained")
    axes = figure.subplots()
    rows = variants.sort_values(["operation", "variant"]).to_dict("records")
    for place, row in enumerate(rows):
        axes.fill_betweenx(
            [place - 0.5, place + 0.5], 1 / (1 + row["noise"]), 1 + row["noise"], color="0.9"
        )
        axes.hlines(place, row["low"], row["high"], color="C0", linewidth=2)
        axes.plot(row["ratio"], place, "s", color="C0", markersize=6)
    axes.axvline(1, color="0.4", linewidth=1)
    names = [f"{row['operation']}: {row['variant']}" for row in rows]
    axes.set_yticks(range(len(rows)), names)
    axes.invert_yaxis()
    axes.set_xlabel("times the baseline; shaded: A against A")
    return figure
