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


def growth(costs: pd.DataFrame) -> Figure:
    """Cost over size, both logarithmic, a line an operation; dotted, what is proportional.

    Columns: operation, axis (what grows), multiple, blocks_per_call, p50_ms.
    """
    measures = {"blocks_per_call": "blocks a call", "p50_ms": "ms a call, p50"}
    axes_of = sorted(costs["axis"].unique())
    figure = Figure(figsize=(13, 5.5 * len(measures)), layout="constrained")
    grid = figure.subplots(len(measures), len(axes_of), sharex=True, sharey="row", squeeze=False)
    for (column, label), plots_of in zip(measures.items(), grid, strict=True):
        for axis, axes in zip(axes_of, plots_of, strict=True):
            rows = costs.query("axis == @axis").sort_values("multiple")
            lowest = rows[column].min()
            multiples = sorted(set(rows["multiple"]))
            axes.plot(multiples, [lowest * m for m in multiples], ":", color="0.5")
            for place, (operation, line) in enumerate(rows.groupby("operation")):
                style = ("-", "--", "-.")[place // 10 % 3]  # there are ten colours
                axes.plot(line["multiple"], line[column], "o", ls=style, label=str(operation))
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.set_xticks(multiples, [f"{multiple}" for multiple in multiples])
            axes.minorticks_off()
            axes.set_title(f"times as many {axis}")
            axes.grid(alpha=0.3)
        plots_of[0].set_ylabel(label)
    handles = grid[0][0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside right upper", frameon=False)
    return figure
