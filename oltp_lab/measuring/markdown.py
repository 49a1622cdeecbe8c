"""Frames and figures as markdown, for the pages of assets."""

import base64
import io

import pandas as pd
from matplotlib.figure import Figure
from pandas.api.types import is_float_dtype, is_numeric_dtype


def table(frame: pd.DataFrame) -> str:
    """A frame as a table; floats get three significant digits, what is absent a dash."""
    rule = ["--:" if is_numeric_dtype(frame[name]) else "---" for name in frame]
    cells = [[_cell(value, is_float_dtype(frame[name])) for value in frame[name]] for name in frame]
    lines = [[str(name) for name in frame], rule, *zip(*cells, strict=True)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def image(figure: Figure, title: str) -> str:
    """A figure as a PNG within the text."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=110)
    return f"![{title}](data:image/png;base64,{base64.b64encode(file.getvalue()).decode()})"


def _cell(value: object, fraction: bool) -> str:
    if value is None or value is pd.NA or value != value:  # noqa: PLR0124 - NaN
        return "-"
    if not fraction:
        return str(value)
    number = float(str(value))
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"
