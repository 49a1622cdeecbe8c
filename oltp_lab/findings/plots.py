"""Plots of the report's page: inline SVG that takes its colours and fonts from the page.

A query named ``X_caption`` is drawn by the function X of ``PLOTS``. Each is drawn twice, for a wide
and a narrow screen, since text that shrinks with its picture cannot be read.
"""

import io
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullLocator

from oltp_lab.measuring import plots
from oltp_lab.measuring.plots import Look

WIDE, NARROW = 750, 340  # CSS pixels
ROW = 20
LABEL = 146  # room for the name of a row

_SERIES = [f"series-{number}" for number in range(1, 7)]
# Stand-ins that matplotlib accepts; the page's own colours take their place.
_COLOURS = {
    name: f"#0000{number:02x}"
    for number, name in enumerate(
        ["ink", "muted", "rule", "accent", "band", "paper", "good", "fair", "bad", *_SERIES], 1
    )
}
INK, MUTED, RULE, ACCENT, BAND, PAPER, GOOD, FAIR, BAD, *_ = _COLOURS.values()
_LOOK = Look(series=tuple(_COLOURS[name] for name in _SERIES), mark=BAD, muted=MUTED)
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 12,
    "figure.dpi": 72,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 11,
    "axes.facecolor": "none",
    "axes.spines.left": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": MUTED,
    "xtick.labelsize": 11,
    "ytick.labelcolor": INK,
    "ytick.labelsize": 11,
    "ytick.left": False,
    "legend.frameon": False,
    "legend.fontsize": 11,
}
OUTCOMES = {
    "held": ("o", GOOD),
    "not proven": ("s", FAIR),
    "leaked": ("X", BAD),
    "not applicable": ("_", MUTED),
}
_RATIOS = (0.1, 0.2, 0.5, 0.7, 0.8, 0.9, 0.95, 1.05, 1.1, 1.2, 1.3, 1.5, 2, 3, 5, 10, 20, 50, 100)


@dataclass(frozen=True)
class Plot:
    """Two drawings of the same."""

    wide: str
    narrow: str


def draw(name: str, frame: pd.DataFrame, key: str) -> Plot:
    """Draw a frame by the plot of that name; ``key`` keeps its ids apart from other plots'."""
    drawings = []
    for width in (WIDE, NARROW):
        with mpl.rc_context({**_STYLE, "svg.hashsalt": f"{key}-{width}"}):
            drawings.append(_svg(PLOTS[name](frame, width)))
    return Plot(*drawings)


def ranges(frame: pd.DataFrame, width: int) -> Figure:
    """Latency from p50 to p99; columns: a heading, what tells its rows apart (its name is shown),
    p50, p95, p99 (ms)."""
    heading, told_by = list(frame)[:2]
    groups = frame.groupby(heading, sort=False)
    longest = max(len(_row_name(name)) for name in frame[told_by])
    left = max(48, 8 + 7 * longest)
    figure, axes = _canvas(width, len(frame) + 1.5 * groups.ngroups, left=left, right=22)
    ticks: dict[float, str] = {}
    place = 0.0
    for name, rows in groups:
        place += 0.5
        _note(axes, 0, place, str(name), -left, weight="bold")
        for row in rows.to_dict("records"):
            place += 1
            ticks[place] = _row_name(row[told_by])
            end = row["p95"] if pd.isna(row["p99"]) else row["p99"]  # too few calls for a p99
            axes.hlines(place, row["p50"], end, color=ACCENT, linewidth=1.5)
            axes.plot(row["p50"], place, "o", color=ACCENT, markersize=7)
            axes.plot(row["p95"], place, "|", color=ACCENT, markersize=11, markeredgewidth=2)
            axes.plot(row["p99"], place, "o", color=ACCENT, markerfacecolor=PAPER, markersize=6)
        place += 1
    axes.set_yticks(list(ticks), list(ticks.values()))
    axes.set_xscale("log")
    decades = np.log10(frame[["p50", "p95", "p99"]].to_numpy(dtype=float))
    axes.set_xlim(10 ** np.floor(np.nanmin(decades)), 10 ** np.ceil(np.nanmax(decades)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.set_xlabel(f"ms, log scale; rows: {told_by}")
    _key(axes, {"p50": ("o", ACCENT), "p95": ("|", ACCENT), "p99": ("o", PAPER)})
    return figure


def forest(frame: pd.DataFrame, width: int) -> Figure:
    """Ratios with intervals; columns: variant, operation, ratio, low, high, noise (share)."""
    groups = frame.groupby("variant", sort=False)
    stacked = width == NARROW  # labels above the marks, not beside them
    left, right = (8, 8) if stacked else (LABEL, 118)
    lines = len(frame) * (2 if stacked else 1) + 1.5 * groups.ngroups
    figure, axes = _canvas(width, lines, left=left, right=right, top=8)
    noise = 1 + float(frame["noise"].iloc[0])
    axes.axvspan(1 / noise, noise, color=BAND, linewidth=0)
    axes.axvline(1, color=MUTED, linewidth=1)
    place = 0.0
    for variant, rows in groups:
        place += 0.5
        _note(axes, 0, place, str(variant), -left, weight="bold")
        for row in rows.to_dict("records"):
            place += 1
            interval = f"{row['ratio']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"
            _note(axes, 1, place, interval, right, size=11, ha="right")
            if stacked:
                _note(axes, 0, place, row["operation"], -left, size=11)
                place += 1
            else:
                _note(axes, 0, place, row["operation"], -6, size=11, ha="right")
            axes.hlines(place, row["low"], row["high"], color=ACCENT, linewidth=2)
            axes.plot(row["ratio"], place, "s", color=ACCENT, markersize=7)
        place += 1
    axes.set_yticks([])
    lowest, highest = min(*frame["low"], 1 / noise), max(*frame["high"], noise)
    _ratio_axis(axes, lowest, highest, width - left - right)
    axes.set_xlabel("times the baseline; shaded: A against A")
    return figure


def matrix(frame: pd.DataFrame, width: int) -> Figure:
    """A mark for each pair; columns: row, column, outcome (one of OUTCOMES)."""
    rows, columns = (sorted(frame[name].unique()) for name in ("row", "column"))
    slope, right = (90, 12) if width == NARROW else (50, 70)
    figure, axes = _canvas(width, len(rows), left=LABEL, right=right, top=130, bottom=26)
    axes.grid(axis="y", color=RULE, linewidth=0.8)
    for outcome, (marker, colour) in OUTCOMES.items():
        cells = frame[frame["outcome"] == outcome]
        places = [columns.index(name) for name in cells["column"]]
        heights = [rows.index(name) + 0.5 for name in cells["row"]]
        axes.plot(places, heights, marker, color=colour, markersize=7, label=outcome)
    axes.set_xlim(-0.6, len(columns) - 0.4)
    axes.xaxis.tick_top()
    aligned: dict[str, Any] = {"ha": "left", "va": "center", "rotation_mode": "anchor"}
    axes.set_xticks(range(len(columns)), columns, rotation=slope, **aligned)
    axes.set_yticks([place + 0.5 for place in range(len(rows))], rows)
    axes.spines["bottom"].set_visible(False)
    axes.legend(loc="upper right", bbox_to_anchor=(1, 0), ncols=len(OUTCOMES), borderaxespad=0.2)
    return figure


def lines(frame: pd.DataFrame, width: int) -> Figure:
    """Values over the seconds of each panel; columns as of ``measuring.plots.lines``, and panel."""
    return _panels(frame, width, plots.lines)


def areas(frame: pd.DataFrame, width: int) -> Figure:
    """Stacked over the seconds of each panel; columns: panel, second, kind, sessions."""
    return _panels(frame, width, plots.areas)


def curve(frame: pd.DataFrame, width: int) -> Figure:
    """Throughput against response time; columns as of ``measuring.plots.curve``."""
    return _field(frame, width, plots.curve)


def tradeoff(frame: pd.DataFrame, width: int) -> Figure:
    """Cost over how far behind; columns as of ``measuring.plots.tradeoff``."""
    return _field(frame, width, plots.tradeoff)


def _field(
    frame: pd.DataFrame, width: int, draw_on: Callable[[Axes, pd.DataFrame, Look], None]
) -> Figure:
    """One plot of points, under its key."""
    height = 330 if width == WIDE else 300
    figure = Figure(figsize=(width / 72, height / 72))
    top = 30 if width == WIDE else 62
    box = (52 / width, 44 / height, (width - 66) / width, (height - 44 - top) / height)
    axes = figure.add_axes(box)
    axes.grid(color=RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    draw_on(axes, frame, _LOOK)
    columns = len(axes.get_legend_handles_labels()[0]) if width == WIDE else 2
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=columns, borderaxespad=0.2)
    return figure


def _panels(
    frame: pd.DataFrame, width: int, draw_on: Callable[[Axes, pd.DataFrame, Look], None]
) -> Figure:
    """Panels beside one another, one below the other where it is narrow, under one key."""
    groups = list(frame.groupby("panel", sort=False))
    across = 1 if width == NARROW else min(2, len(groups))
    down = math.ceil(len(groups) / across)
    left, gap, room, key = 46, 30, 100, 44 if width == NARROW else 28
    each = (width - across * left - 10) / across
    height = key + down * (room + gap + 18)
    figure = Figure(figsize=(width / 72, height / 72))
    drawn = []
    for number, (name, rows) in enumerate(groups):
        row, column = divmod(number, across)
        x = left + column * (each + left)
        y = height - key - 18 - room - row * (room + gap + 18)
        axes = figure.add_axes((x / width, y / height, each / width, room / height))
        axes.grid(color=RULE, linewidth=0.8)
        axes.set_axisbelow(True)
        draw_on(axes, rows, _LOOK)
        axes.set_title(str(name), loc="left", fontsize=11, fontweight="bold", pad=4)
        drawn.append(axes)
    handles, labels = plots.keys(np.array(drawn))
    if "checkpoint" in frame and any(frame["checkpoint"].tolist()):
        handles.append(Line2D([], [], color=BAD, linestyle=(0, (3, 2)), linewidth=1.2))
        labels.append("checkpoint begins")
    look: dict[str, Any] = {"borderaxespad": 0, "handlelength": 1.4, "columnspacing": 1.2}
    columns = 3 if width == NARROW else 6
    figure.legend(handles, labels, loc="upper right", bbox_to_anchor=(1, 1), ncols=columns, **look)
    return figure


def _row_name(value: Any) -> str:
    return str(value) if isinstance(value, str) else f"{value:,}"


def _canvas(
    width: int, rows: float, *, left: int, right: int, top: int = 34, bottom: int = 42
) -> tuple[Figure, Axes]:
    """Axes over rows that are counted from the top, with margins in pixels."""
    height = rows * ROW + top + bottom
    figure = Figure(figsize=(width / 72, height / 72))
    box = (left / width, bottom / height, (width - left - right) / width, rows * ROW / height)
    axes = figure.add_axes(box, ylim=(rows, 0))
    axes.grid(axis="x", color=RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    return figure, axes


def _note(axes: Axes, side: int, place: float, text: str, shift: int, **look: Any) -> None:
    """A text in a row, so many pixels from the axes' left (0) or right (1) side."""
    axes.annotate(
        text,
        (side, place),
        xycoords=axes.get_yaxis_transform(),
        xytext=(shift, 0),
        textcoords="offset points",
        va="center",
        **look,
    )


def _key(axes: Axes, marks: dict[str, tuple[str, str]]) -> None:
    for label, (marker, fill) in marks.items():
        look = {"markerfacecolor": fill, "markersize": 8, "markeredgewidth": 1.5}
        axes.plot([], [], marker, color=ACCENT, label=label, **look)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(marks), borderaxespad=0.2)


def _ratio_axis(axes: Axes, low: float, high: float, width: int) -> None:
    """A log axis around 1, with as many plain ticks as so many pixels have room for."""
    pad = (high / low) ** 0.06
    low, high = low / pad, high * pad
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    room = 36 * math.log(high / low) / width
    ticks = [1.0]
    for tick in sorted(_RATIOS, key=lambda ratio: abs(math.log(ratio))):
        if low <= tick <= high and all(abs(math.log(tick / other)) > room for other in ticks):
            ticks.append(tick)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())


def _svg(figure: Figure) -> str:
    """The drawing alone, without prologue, metadata, fixed size, colours and fonts."""
    file = io.StringIO()
    plain = {"Creator": None, "Date": None, "Format": None, "Type": None}
    figure.savefig(file, format="svg", transparent=True, metadata=plain)
    drawing = file.getvalue()
    drawing = drawing[drawing.index("<svg") :]
    drawing = re.sub(r'<svg [^>]*(viewBox="[^"]*")[^>]*>', r"<svg \1>", drawing)
    drawing = re.sub(r' id="[\w.]+_\d+"|<style.*?</style>', "", drawing, flags=re.DOTALL)
    drawing = re.sub(r"'?DejaVu Sans[^;\"]*", "var(--sans)", drawing)
    for name, stand_in in _COLOURS.items():
        drawing = drawing.replace(stand_in, f"var(--{name})")
    return drawing


PLOTS = {
    "ranges": ranges,
    "forest": forest,
    "matrix": matrix,
    "lines": lines,
    "areas": areas,
    "curve": curve,
    "tradeoff": tradeoff,
}
