"""Frames of figures as tables to read, numbers of a column rounded alike; in HTML and markdown."""

from dataclasses import dataclass
from typing import Any

import pandas as pd
from pandas.api import types

from oltp_lab.measuring import markdown

ABSENT = "\N{EN DASH}"


@dataclass(frozen=True)
class Column:
    """A heading, with its unit, and whether figures stand below it."""

    title: str
    numeric: bool


@dataclass(frozen=True)
class Table:
    """Texts, ready to be set."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """For Dagster's pages."""
        numeric = [column.title for column in self.columns if column.numeric]
        return markdown.table([column.title for column in self.columns], self.rows, right=numeric)


def of(frame: pd.DataFrame, caption: str) -> Table:
    """A frame as a table; its column names are the headings."""
    columns, texts = [], []
    for name, values in frame.items():
        numeric = types.is_numeric_dtype(values)
        columns.append(Column(str(name), numeric))
        texts.append(_texts(values, numeric))
    return Table(caption, tuple(columns), tuple(zip(*texts, strict=True)))


def first(frame: pd.DataFrame) -> dict[str, Any]:
    """The first row; what is missing is None."""
    row = frame.iloc[0].items()
    return {str(name): None if pd.isna(value) else value for name, value in row}


def _texts(values: pd.Series, numeric: bool) -> list[str]:
    if not numeric:
        return [_text(value) for value in values]
    places = 0 if types.is_integer_dtype(values) else _places(values)
    return [ABSENT if pd.isna(value) else f"{value:,.{places}f}" for value in values]


def _text(value: Any) -> str:
    if pd.isna(value):
        return ABSENT
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, pd.Timestamp) else str(value)


def _places(values: pd.Series) -> int:
    """Decimals for a column: three digits for its smallest figure, unless it was rounded before."""
    present = values.dropna().abs()
    smallest = present[present > 0].min()
    wanted = 3 if smallest < 0.01 else 2 if smallest < 10 else 1 if smallest < 100 else 0
    return next((few for few in range(wanted) if present.equals(present.round(few))), wanted)
