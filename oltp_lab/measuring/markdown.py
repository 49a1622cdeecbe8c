"""Tables and figures as markdown, for the pages of assets."""

import base64
import io
from collections.abc import Collection, Iterable, Sequence

import pandas as pd
from matplotlib.figure import Figure
from pandas.api.types import is_float_dtype, is_numeric_dtype


def table(
    header: Sequence[str], rows: Iterable[Iterable[object]], right: Collection[str] = ()
) -> str:
    """A table; the columns named in ``right`` are right-aligned, bars and lines stay in cells."""
    rule = ["--:" if name in right else "---" for name in header]
    return "\n".join(_line(cells) for cells in (header, rule, *rows))


def frame(data: pd.DataFrame) -> str:
    """A frame as a table; floats get three significant digits, what is absent a dash."""
    right = [name for name in data if is_numeric_dtype(data[name])]
    cells = [[_cell(value, is_float_dtype(data[name])) for value in data[name]] for name in data]
    return table(list(data), zip(*cells, strict=True), right)


def image(figure: Figure, title: str) -> str:
    """A figure as a PNG within the text."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=110)
    return f"![{title}](data:image/png;base64,{base64.b64encode(file.getvalue()).decode()})"


def _line(cells: Iterable[object]) -> str:
    texts = (str(cell).replace("|", "&#124;").replace("\n", "<br>") for cell in cells)
    return f"| {' | '.join(texts)} |"


def _cell(value: object, fraction: bool) -> str:
    if value is None or value is pd.NA or value != value:  # noqa: PLR0124 - NaN
        return "-"
    if not fraction:
        return str(value)
    number = float(str(value))
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"
