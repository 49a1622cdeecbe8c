"""Findings: each file of ``sql/findings`` answers one question from the measurement files.

A file begins with a sentence, its subject, and holds named queries. ``card`` gives one row, or none
where nothing complete was measured: ``run_id``, ``question``, ``verdict``, ``tone`` (good, fair or
bad), ``headline`` (what a run ends with), ``effect``, ``evidence``, ``correctness``, ``advice``,
``flips`` (when the verdict would turn), and figures: every column that is a number. The others are
called ``KIND_caption``: a ``table``, whose columns are its headings, or a plot of ``plots.PLOTS``.
"""

import re
from dataclasses import dataclass
from numbers import Real
from pathlib import Path, PurePath
from typing import Any

import pandas as pd

from oltp_lab import sql
from oltp_lab.errors import LabError
from oltp_lab.findings import tables
from oltp_lab.findings.questions import order
from oltp_lab.measuring.store import Measurements, macros

_FROM = re.compile(r"\b(?:from|join)\s+(\w+)")


@dataclass(frozen=True)
class Finding:
    """What one file found. Without a card no frames; a frame is None where nothing was measured."""

    name: str
    subject: str
    card: dict[str, Any] | None
    frames: dict[str, pd.DataFrame | None]
    files: tuple[Path, ...]

    @property
    def figures(self) -> dict[str, float]:
        """The card's numbers."""
        numbers = (self.card or {}).items()
        return {name: float(value) for name, value in numbers if isinstance(value, Real)}

    @property
    def headline(self) -> str:
        """One line for the end of a run."""
        told = self.card["headline"] if self.card else "not measured in this lab home"
        return f"{self.name.replace('_', ' ')}: {told}"


def names() -> list[str]:
    """Every finding, in the order of the questions' file, then those that it does not name."""
    present = [PurePath(file).stem for file in sql.files("findings")]
    return [name for name in dict.fromkeys([*order(), *present]) if name in present]


def read(store: Measurements, name: str) -> Finding:
    """Run the queries of one finding."""
    file = f"findings/{name}.sql"
    queries = sql.queries(file)
    subject = sql.read(file).removeprefix("-- ").partition(".")[0]
    found = _measured(store, queries["card"])
    if found is None or found.empty:
        return Finding(name, subject, None, {}, ())
    card = tables.first(found)
    others = {query: text for query, text in queries.items() if query != "card"}
    frames = {query: _measured(store, text) for query, text in others.items()}
    texts = [text for query in queries.values() for text in (query, *macros(query).values())]
    known = sorted({table for text in texts for table in _FROM.findall(text)})
    files = [
        file
        for table in known
        for file in sorted((store.folder / table).glob(f"{card['run_id']}*.parquet"))
    ]
    return Finding(name, subject, card, frames, tuple(files))


def _measured(store: Measurements, query: str) -> pd.DataFrame | None:
    try:
        return store.read(query)
    except LabError:  # a table that nothing was measured for
        return None
