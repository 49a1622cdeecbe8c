"""What a picture of the schema consists of: tables as boxes at their places, and lines."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

WIDE, NARROW = 1064, 340  # CSS pixels
HEAD, ROW, GAP = 23, 15, 20
ARROW = "m6 -3.5l-6 3.5l6 3.5"  # at a box's right side
_CHARACTER = 5.9  # its width, guessed with room to spare


@dataclass(frozen=True)
class Column:
    """A column; ``drawn`` when the table that it refers to is in the same domain."""

    domain: str
    table: str
    column: str
    type: str
    key: bool
    target: str | None
    drawn: bool


@dataclass(frozen=True)
class Table:
    """The columns that are shown, and how many are not."""

    name: str
    columns: tuple[Column, ...]
    more: int

    @cached_property
    def links(self) -> tuple[Column, ...]:
        """Columns that refer to other tables of the domain, or to this one."""
        return tuple(column for column in self.columns if column.drawn)

    @property
    def height(self) -> int:
        """In pixels."""
        return HEAD + ROW * (len(self.columns) + bool(self.more)) + 7


@dataclass(frozen=True)
class Box:
    """A table at its place."""

    table: Table
    x: float
    y: float
    width: int

    @property
    def height(self) -> int:
        return self.table.height

    @property
    def door(self) -> float:
        """Where lines arrive: the middle of the heading."""
        return self.y + HEAD / 2

    def row(self, column: Column) -> float:
        """The middle of a column's row."""
        return self.y + HEAD + ROW * (self.table.columns.index(column) + 0.5) + 3

    def note(self, column: Column) -> str:
        """What a column refers to, or its type where there is no room for that."""
        text = f"\N{RIGHTWARDS ARROW} {(column.target or '').rpartition('.')[2]}"
        room = (self.width - 18) / _CHARACTER - len(column.column)
        return text if column.target and len(text) <= room else column.type


@dataclass(frozen=True)
class Drawing:
    """Boxes, and lines as data of SVG paths."""

    width: int
    height: float
    boxes: tuple[Box, ...]
    lines: tuple[str, ...]


def links(boxes: dict[str, Box]) -> Iterator[tuple[Box, Column]]:
    """Each column that refers to one of the boxes, and the box that it is in."""
    return ((box, column) for box in boxes.values() for column in box.table.links)


def bracket(x: float, y: float, door: float, lane: float) -> str:
    """From a row to the right, along a lane, and back to a heading."""
    return f"M{x:.0f} {y:.1f}H{x + lane:.1f}V{door:.1f}H{x:.0f}{ARROW}"
