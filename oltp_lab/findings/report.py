"""The report: everything that was found, as one page that needs nothing beside itself."""

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup, escape

from oltp_lab import sql
from oltp_lab.errors import LabError
from oltp_lab.findings import finding, plots, tables
from oltp_lab.findings.finding import Finding
from oltp_lab.findings.plots import Plot
from oltp_lab.findings.questions import QUERIES, by_section, questions, title
from oltp_lab.findings.schema_pictures import Picture
from oltp_lab.findings.tables import Table
from oltp_lab.measuring.store import Measurements

_BREAKS = re.compile(r"[._](?=[a-z])")  # where a name may break into lines
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Source:
    """A measurement table: its runs (newest first), and files as links relative to the page."""

    table: str
    runs: pd.DataFrame
    files: tuple[Path, ...]

    @property
    def newest(self) -> dict[str, Any]:
        """The run that was recorded last."""
        return tables.first(self.runs)


_ACRONYMS = {"cpu", "dns", "hot", "wal"}


@dataclass(frozen=True)
class Plate:
    """A table or a plot below a finding, or why there is none."""

    caption: str
    table: Table | None = None
    plot: Plot | None = None
    absent: str | None = None


def read(store: Measurements) -> list[Finding]:
    """Every finding, in order."""
    return [finding.read(store, name) for name in finding.names()]


def headlines(store: Measurements) -> list[str]:
    """What was found, a line a finding."""
    return [found.headline for found in read(store)]


def write(store: Measurements, page: Path, pictures: Sequence[Picture] = ()) -> list[Finding]:
    """Write the page and return its findings; a page appears whole or not at all.

    Raises LabError when it cannot be written.
    """
    found = read(store)
    text = _render(store, found, page, pictures)
    draft = page.with_name(f".{page.name}.{os.getpid()}")
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(text, "utf-8")
        draft.replace(page)
    except OSError as error:
        raise LabError(
            f"cannot write the report to {page.parent} ({error.strerror}): free some space there, "
            "or set OLTP_LAB_HOME to a folder that can be written"
        ) from None
    finally:
        with suppress(OSError):
            draft.unlink()
    return found


def _render(
    store: Measurements, found: list[Finding], page: Path, pictures: Sequence[Picture]
) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["link"] = lambda file: Path(os.path.relpath(file, page.parent)).as_posix()
    environment.filters["soft"] = lambda text: Markup(_BREAKS.sub(r"\g<0><wbr>", str(escape(text))))
    environment.globals.update(plates=_plates)
    sources = _sources(store)
    return environment.get_template("report.html.j2").render(
        style=(_HERE / "report.css").read_text("utf-8"),
        challenge=title(),
        lab=_lab(sources),
        findings=found,
        pictures=pictures,
        sources=sources,
        noise=_noise(store, sources),
        lines=questions(),
        sections=by_section(questions()),
    )


def _plates(found: Finding) -> list[Plate]:
    return [_plate(found, query, frame) for query, frame in found.frames.items()]


def _plate(found: Finding, query: str, frame: pd.DataFrame | None) -> Plate:
    kind, name = query.split("_", 1)
    words = (word.upper() if word in _ACRONYMS else word for word in name.split("_"))
    caption = " ".join(words)
    caption = caption[0].upper() + caption[1:]
    if frame is None:
        return Plate(caption, absent="not measured in this lab home")
    if frame.empty:
        return Plate(caption, absent="none")
    if kind == "table":
        return Plate(caption, table=tables.of(frame, caption))
    return Plate(caption, plot=plots.draw(kind, frame, f"{found.name} {name}"))


def _sources(store: Measurements) -> list[Source]:
    runs = sql.queries(QUERIES)["runs"]
    return [
        Source(
            table,
            store.read(runs, {"table": table}),
            tuple(sorted((store.folder / table).glob("*.parquet"))),
        )
        for table in store.tables()
    ]


def _lab(sources: list[Source]) -> dict[str, Any] | None:
    """Where the newest run took place."""
    newest = [source.newest for source in sources]
    return max(newest, key=lambda run: run["recorded_at"], default=None)


def _noise(store: Measurements, sources: list[Source]) -> float | None:
    """How far apart identical things came out, as a share; None where nothing was compared."""
    if "experiments" not in {source.table for source in sources}:
        return None
    return float(store.read(sql.queries(QUERIES)["noise"])["noise"].iloc[0])
