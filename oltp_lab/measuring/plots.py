"""Plots of measurements as matplotlib figures; what is drawn on axes is drawn by the report too."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

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


@dataclass(frozen=True)
class Look:
    """Colours: of series, in their order, and of what stands behind them."""

    series: tuple[str, ...] = ("#24527a", "#c98a3a", "#4f8a5b", "#b4483f", "#8a7fae", "#8d8d87")
    mark: str = "#b4483f"
    muted: str = "#8d8d87"


WAITS = {"CPU": 2, "IO": 0, "LWLock": 1, "Lock": 3, "Client": 4}
"""Places of the colours of wait events, green for CPU and red for locks, as is usual."""
_OTHERS = 5
_FRAME = ("panel", "second", "checkpoint")


def lines(axes: Axes, rows: pd.DataFrame, look: Look) -> None:
    """Values over seconds, a line a column; upright lines are checkpoints that began.

    Columns: second, checkpoint (may be left out), and the series.
    """
    names = [name for name in rows if name not in _FRAME]
    for name, colour in zip(names, look.series, strict=False):
        axes.plot(rows["second"], rows[name], ".-", color=colour, markersize=4, label=name)
    if "checkpoint" in rows:
        for second in rows.loc[rows["checkpoint"], "second"]:
            axes.axvline(second, color=look.mark, linewidth=1.2, linestyle=(0, (3, 2)))
    highest = rows[names].max(axis=None)
    axes.set_ylim(0, 1.08 * highest if highest > 0 else 1)
    axes.yaxis.set_major_locator(MaxNLocator(3))
    _seconds(axes, rows)


def areas(axes: Axes, rows: pd.DataFrame, look: Look) -> None:
    """Sessions over seconds by what they wait for, stacked; columns: second, kind, sessions."""
    table = rows.pivot_table(index="second", columns="kind", values="sessions", fill_value=0)
    kinds = [*(kind for kind in WAITS if kind in table), *(k for k in table if k not in WAITS)]
    edges = np.append(table.index, table.index[-1] + 1)  # each second is as long as it is
    heights = [np.append(table[kind], table[kind].iloc[-1]) for kind in kinds]
    colours = [look.series[WAITS.get(str(kind), _OTHERS)] for kind in kinds]
    axes.stackplot(edges, heights, labels=kinds, colors=colours, step="post", linewidth=0)
    axes.yaxis.set_major_locator(MaxNLocator(3))
    axes.set_ylim(bottom=0)
    _seconds(axes, rows)


def curve(axes: Axes, frame: pd.DataFrame, look: Look) -> None:
    """Throughput against response time, a point an arm with its sessions beside it.

    Columns: series, tps, "p95, ms", label, knee (of at most one row: it gets a ring).
    """
    for (name, rows), colour in zip(frame.groupby("series", sort=False), look.series, strict=False):
        axes.plot(rows["tps"], rows["p95, ms"], "o-", color=colour, markersize=5, label=name)
        for row in rows.to_dict("records"):
            axes.annotate(
                row["label"],
                (row["tps"], row["p95, ms"]),
                xytext=(6, 6),
                textcoords="offset points",
                size=10,
                color=colour,
            )
    for row in filter(lambda row: row["knee"], frame.to_dict("records")):
        at = row["tps"], row["p95, ms"]
        axes.plot(*at, "o", color=look.mark, markersize=13, fillstyle="none", markeredgewidth=1.6,
                  label="knee: most power")  # fmt: skip
        axes.axvline(at[0], color=look.mark, linewidth=1, linestyle=(0, (3, 2)))
    axes.set_yscale("log")
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(_plain))
    axes.xaxis.set_major_formatter(FuncFormatter(_plain))
    axes.set_xlim(0, 1.14 * max(frame["tps"].tolist()))
    low, high = min(frame["p95, ms"].tolist()), max(frame["p95, ms"].tolist())
    axes.set_ylim(10 ** math.floor(math.log10(low)), 10 ** math.ceil(math.log10(1.2 * high)))
    axes.set_xlabel("transactions a second; beside points: sessions")
    axes.set_ylabel("p95, ms, log scale")


def tradeoff(axes: Axes, frame: pd.DataFrame, look: Look) -> None:
    """Cost over how far behind figures are (log), shaded: A against A; hollow: reckoned.

    Columns: series, behind_s, ratio, low, high, noise (share; these may be null), label, reckoned.
    """
    noise = frame["noise"].iloc[0]
    if noise == noise:  # noqa: PLR0124 - NaN, of too few turns
        axes.axhspan(1 / (1 + noise), 1 + noise, color=look.muted, alpha=0.18, linewidth=0)
    axes.axhline(1, color=look.muted, linewidth=1)
    for (name, rows), colour in zip(frame.groupby("series", sort=False), look.series, strict=False):
        axes.plot(rows["behind_s"], rows["ratio"], "-", color=colour, linewidth=1, alpha=0.5)
        axes.vlines(rows["behind_s"], rows["low"], rows["high"], color=colour, linewidth=1.6)
        for reckoned, points in rows.groupby("reckoned"):
            fill: Any = {"fillstyle": "none"} if reckoned else {"label": name}
            axes.plot(points["behind_s"], points["ratio"], "o", color=colour, **fill)
        for row in rows.to_dict("records"):
            axes.annotate(row["label"], (row["behind_s"], row["ratio"]), xytext=(6, 5),
                          textcoords="offset points", size=10, color=colour)  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(_plain))
    highest = frame[["ratio", "high"]].max(axis=None)
    ticks = [tick for tick in (0.5, 0.7, 1, 1.5, 2, 3, 5, 10, 20, 50) if tick <= 1.3 * highest]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    low, high = min(frame["behind_s"].tolist()), max(frame["behind_s"].tolist())
    axes.set_xlim(low / 2, high * 6)
    axes.set_xlabel("seconds behind (mean), log scale; hollow: reckoned")
    axes.set_ylabel("p95, times that with nothing beside")


def _seconds(axes: Axes, rows: pd.DataFrame) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_xlim(0, max(1, math.ceil(max(rows["second"].tolist()) + 0.5)))
    axes.yaxis.set_major_formatter(FuncFormatter(_plain))


def _plain(value: float, _: object) -> str:
    return f"{value:,g}"


def panels(frame: pd.DataFrame, draw: Callable[[Axes, pd.DataFrame, Look], None]) -> Figure:
    """A panel for each value of the column ``panel``, three beside one another."""
    groups = list(frame.groupby("panel", sort=False))
    across = min(3, len(groups))
    down = math.ceil(len(groups) / across)
    figure = Figure(figsize=(11, 0.5 + 1.9 * down), layout="constrained")
    grid = figure.subplots(down, across, squeeze=False).flatten()
    for axes, (name, rows) in zip(grid, groups, strict=False):
        draw(axes, rows, Look())
        axes.set_title(str(name), fontsize=10)
        axes.grid(alpha=0.3)
    for axes in grid[len(groups) :]:
        axes.set_visible(False)
    figure.legend(*keys(grid), loc="outside right upper", frameon=False)
    return figure


def keys(grid: np.ndarray) -> tuple[list, list]:
    """Handles and labels of all axes, each label once."""
    found = {}
    for axes in grid:
        found |= dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    return list(found.values()), list(found)


def freshness(frame: pd.DataFrame) -> Figure:
    """``tradeoff`` as a figure of its own."""
    return _alone(tradeoff, frame)


def throughput(frame: pd.DataFrame) -> Figure:
    """``curve`` as a figure of its own."""
    return _alone(curve, frame)


def _alone(draw: Callable[[Axes, pd.DataFrame, Look], None], frame: pd.DataFrame) -> Figure:
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    draw(axes, frame, Look())
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    return figure
