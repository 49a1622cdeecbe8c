import itertools
import re
from pathlib import Path

import pytest

from oltp_lab import catalog
from oltp_lab.findings import report, schema_pictures
from oltp_lab.findings.schema_boxes import Box, Column, Drawing, Table
from oltp_lab.findings.schema_layouts import beside, stacked
from oltp_lab.findings.schema_pictures import Picture
from oltp_lab.servers import Database
from oltp_lab_tests.findings import measured
from oltp_lab_tests.findings.test_report import Page

DOMAINS = ["tenancy", "infrastructure", "campaigns", "billing", "configuration", "integration"]
LAYOUTS = (beside, stacked)


@pytest.fixture
def pictures(database: Database) -> list[Picture]:
    with database.connect() as connection:
        return schema_pictures.read(connection)


def _table(name: str, *targets: str) -> Table:
    columns = (
        Column("x", name, f"{target}_id", "uuid", key=False, target=target, drawn=True)
        for target in targets
    )
    return Table(name, (Column("x", name, "id", "uuid", True, None, False), *columns), more=0)


def _apart(one: Box, other: Box) -> bool:
    return (
        one.x + one.width <= other.x
        or other.x + other.width <= one.x
        or one.y + one.height <= other.y
        or other.y + other.height <= one.y
    )


def _sound(drawing: Drawing) -> None:
    for box in drawing.boxes:
        assert box.x >= 0
        assert box.y >= 0
        assert box.x + box.width <= drawing.width
        assert box.y + box.height <= drawing.height
    for one, other in itertools.combinations(drawing.boxes, 2):
        assert _apart(one, other), (one.table.name, other.table.name)
    for line in drawing.lines:
        _clear_of_boxes(line, drawing)
        assert all(0 <= float(x) <= drawing.width for x in re.findall(r"H([\d.]+)", line))


def _clear_of_boxes(line: str, drawing: Drawing) -> None:
    """Where a line crosses a column on its level, no box is."""
    for start, y, end in re.findall(r" ([\d.]+) ([\d.]+)H([\d.]+)(?=C)", line):
        for box in drawing.boxes:
            beside_it = float(end) >= box.x + box.width or float(start) <= box.x
            assert beside_it or not box.y < float(y) < box.y + box.height, box.table.name


def test_every_table_is_drawn_and_every_foreign_key_led_somewhere(
    database: Database, pictures: list[Picture]
) -> None:
    assert [picture.domain for picture in pictures] == DOMAINS
    drawn = [box.table.name for picture in pictures for box in picture.wide.boxes]
    assert len(drawn) == len(catalog.tables())
    with database.connect() as connection:
        (within,) = connection.execute(
            "select count(*) from pg_constraint where contype = 'f' and"
            " (connamespace = (select relnamespace from pg_class where oid = confrelid)"
            " or connamespace in ('auth'::regnamespace, 'users'::regnamespace))"
        ).fetchone() or (0,)
    for side in ("wide", "narrow"):
        assert sum(len(getattr(picture, side).lines) for picture in pictures) == within


def test_pictures_are_sound_and_the_same_each_time(
    database: Database, pictures: list[Picture]
) -> None:
    for picture in pictures:
        _sound(picture.wide)
        _sound(picture.narrow)
    with database.connect() as connection:
        assert schema_pictures.read(connection) == pictures


def test_keys_and_references_are_shown_whatever_is_left_out(pictures: list[Picture]) -> None:
    campaigns = pictures[DOMAINS.index("campaigns")]
    (enrollments,) = (b for b in campaigns.wide.boxes if b.table.name == "enrollments")
    shown = {column.column: enrollments.note(column) for column in enrollments.table.columns}
    assert list(shown)[:2] == ["tenant_id", "id"]
    assert shown["lead_id"] == "\N{RIGHTWARDS ARROW} leads"
    assert enrollments.table.more > 0
    assert max(len(box.table.columns) for box in campaigns.wide.boxes) <= 8


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "tables",
    [
        [_table("alone")],
        [_table("tree", "tree")],
        [_table("a", "b"), _table("b", "a")],  # each rests on the other
        [
            _table("t0"),
            *(_table(f"t{i}", f"t{i - 1}", "t0") for i in range(1, 9)),
        ],  # too many levels
        [_table("hub"), *(_table(f"spoke{i}", "hub", "hub") for i in range(12))],
    ],
)
def test_any_graph_can_be_drawn(layout, tables: list[Table]) -> None:
    drawing = layout(tables)
    _sound(drawing)
    assert sorted(box.table.name for box in drawing.boxes) == sorted(t.name for t in tables)
    assert len(drawing.lines) == sum(len(table.links) for table in tables)


def test_lines_that_would_cross_do_not() -> None:
    tables = [_table("a"), _table("b"), _table("c", "b"), _table("d", "a")]
    tops = {box.table.name: box.y for box in beside(tables).boxes}
    assert (tops["a"] < tops["b"]) == (tops["d"] < tops["c"])


def test_the_page_shows_them(tmp_path: Path, pictures: list[Picture]) -> None:
    path = tmp_path / "report" / "index.html"
    report.write(measured.write(tmp_path), path, pictures)
    page = Page(path)
    for picture in pictures:
        assert f"{picture.tables} tables, {picture.keys} foreign keys" in page.text
        for box in picture.wide.boxes:
            assert page.text.count(f"\n{box.table.name}\n") >= 2, box.table.name
    assert page.source.count('<svg class="tables"') == 2 * len(DOMAINS)
