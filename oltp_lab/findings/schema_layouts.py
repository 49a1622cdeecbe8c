"""Where tables and foreign keys go in a picture: two layouts.

``beside`` is Sugiyama's: a table stands right of all that it refers to, tables are ordered by where
their neighbours are, and a line that spans columns passes between boxes. ``stacked`` is one column.
"""

import itertools
from collections.abc import Mapping, Sequence
from statistics import fmean

import scipy  # its modules are loaded on first use, so not by each run of Dagster

from oltp_lab.findings.schema_boxes import (
    ARROW,
    GAP,
    HEAD,
    NARROW,
    WIDE,
    Box,
    Drawing,
    Table,
    bracket,
    links,
)

_COLUMNS, _GUTTER, _LANE = 5, 44, 12
_BOX = (WIDE - 2 - _LANE - _GUTTER * (_COLUMNS - 1)) // _COLUMNS
_NARROW_BOX = 280


def stacked(tables: Sequence[Table]) -> Drawing:
    """One column, what is referred to above; lines beside it, one for each table they lead to."""
    boxes: dict[str, Box] = {}
    y = 1.0
    for table in _families(tables):
        boxes[table.name] = Box(table, 1, y, _NARROW_BOX)
        y += table.height + GAP
    spans: dict[str, list[float]] = {}
    for box, column in links(boxes):
        spans.setdefault(column.target or "", [boxes[column.target or ""].door]).append(
            box.row(column)
        )
    lanes = _lanes(spans)
    step = min(9.0, (NARROW - _NARROW_BOX - _LANE - 2) / (max(lanes.values(), default=0) + 1))
    lines = [
        bracket(
            box.x + box.width, box.row(column), boxes[target].door, _LANE + step * lanes[target]
        )
        for box, column in links(boxes)
        if (target := column.target)
    ]
    return Drawing(NARROW, y - GAP + 1, tuple(boxes.values()), tuple(lines))


def _families(tables: Sequence[Table]) -> list[Table]:
    """Each table, then those that refer to nothing but what is above; last what has no line."""
    targets = {t.name: {column.target for column in t.links} - {t.name} for t in tables}
    linked = set().union(*targets.values(), filter(targets.__getitem__, targets))
    placed: dict[str, Table] = {}

    def place(table: Table) -> None:
        placed[table.name] = table
        for other in tables:
            if other.name not in placed and table.name in targets[other.name] <= placed.keys():
                place(other)

    for table in sorted(tables, key=lambda table: table.name not in linked):
        if table.name not in placed and targets[table.name] <= placed.keys():
            place(table)
    return [*placed.values(), *(table for table in tables if table.name not in placed)]


def _lanes(spans: dict[str, list[float]]) -> dict[str, int]:
    """A lane for each span, so that none overlap; short ones nearest."""
    lanes: dict[str, int] = {}
    for name in sorted(spans, key=lambda name: max(spans[name]) - min(spans[name])):
        crossed = {
            lane
            for other, lane in lanes.items()
            if min(spans[other]) <= max(spans[name]) and min(spans[name]) <= max(spans[other])
        }
        lanes[name] = next(lane for lane in itertools.count() if lane not in crossed)
    return lanes


def beside(tables: Sequence[Table]) -> Drawing:
    """Columns, what is referred to on the left; what has no line fills the shortest columns."""
    levels = _levels(tables)
    heights = {table.name: table.height for table in tables}
    routes = [
        _route(table.name, column.target, levels)
        for table in tables
        for column in table.links
        if column.target and column.target != table.name
    ]
    pairs = {pair for route in routes for pair in itertools.pairwise(route)}
    columns = _ordered(_columns(routes, levels), pairs)
    tops = _placed(columns, pairs, heights)
    for name in sorted(heights.keys() - tops.keys()):
        ends = [max((tops[n] + heights.get(n, 0) + GAP for n in c), default=0.0) for c in columns]
        levels[name] = ends.index(min(ends))
        tops[name] = ends[levels[name]]
        columns[levels[name]].append(name)
    boxes = {t.name: Box(t, _left(levels[t.name]), tops[t.name] + 1, _BOX) for t in tables}
    bottom = max(box.y + box.height for box in boxes.values()) + 1
    lines = []
    for box, column in links(boxes):
        target = boxes[column.target or ""]
        if target.x >= box.x:
            lines.append(bracket(box.x + _BOX, box.row(column), target.door, _LANE))
        else:
            _, *between, _ = _route(box.table.name, target.table.name, levels)
            passed = [tops[name] + HEAD / 2 + 1 for name in between]
            lines.append(_curve(box.x, box.row(column), passed, target))
    return Drawing(WIDE, bottom, tuple(boxes.values()), tuple(lines))


def _left(level: int) -> float:
    return 1.0 + level * (_BOX + _GUTTER)


def _levels(tables: Sequence[Table]) -> dict[str, int]:
    """How many tables a table rests on, one upon the other, as far as there are columns."""
    targets = {table.name: {column.target for column in table.links} for table in tables}

    def level(name: str, above: tuple[str, ...] = ()) -> int:
        below = targets[name] - {name, *above}
        return max((1 + level(other, (*above, name)) for other in below if other), default=0)

    return {name: min(level(name), _COLUMNS - 1) for name in targets}


def _route(name: str, target: str, levels: dict[str, int]) -> list[str]:
    """A table, places in the columns between, its target; lines to one target share the places."""
    between = range(levels[name] - 1, levels[target], -1)
    return [name, *(f"{target}@{level}" for level in between), target]


def _columns(routes: list[list[str]], levels: dict[str, int]) -> list[list[str]]:
    columns: list[list[str]] = [[] for _ in range(_COLUMNS)]
    for name in dict.fromkeys(itertools.chain.from_iterable(routes)):
        level = int(name.partition("@")[2]) if "@" in name else levels[name]
        columns[level].append(name)
    return columns


def _ordered(columns: list[list[str]], pairs: set[tuple[str, str]]) -> list[list[str]]:
    """The best of some orders, each column sorted by where the neighbours of its members are."""
    best = columns
    for _ in range(12):
        for step in (1, -1):
            columns = [list(column) for column in columns]
            for column in columns[::step]:
                places = {name: i for other in columns for i, name in enumerate(other)}
                column.sort(key=lambda name: _mean(name, pairs, places))
            best = min(best, columns, key=lambda order: _crossings(order, pairs))
    return best


def _mean(name: str, pairs: set[tuple[str, str]], places: Mapping[str, float]) -> float:
    """Where the neighbours are on average; where it is itself when there are none."""
    near = [places[b if name == a else a] for a, b in sorted(pairs) if name in (a, b)]
    return fmean(near) if near else places[name]


def _crossings(columns: list[list[str]], pairs: set[tuple[str, str]]) -> int:
    at = {name: (level, i) for level, column in enumerate(columns) for i, name in enumerate(column)}
    ends = [(at[a], at[b]) for a, b in pairs]
    return sum(
        a[0] == c[0] and b[0] == d[0] and (a[1] - c[1]) * (b[1] - d[1]) < 0
        for (a, b), (c, d) in itertools.combinations(ends, 2)
    )


def _placed(
    columns: list[list[str]], pairs: set[tuple[str, str]], heights: dict[str, int]
) -> dict[str, float]:
    """Tops, as near to those of the neighbours as order and heights allow (least squares)."""
    offsets = {
        name: offset
        for column in columns
        for name, offset in zip(
            column,
            itertools.accumulate((heights.get(n, 0) + GAP for n in column), initial=0),
            strict=False,
        )
    }
    tops: dict[str, float] = dict(offsets)
    for _ in range(8):
        for column in filter(None, columns):
            wanted = [_mean(name, pairs, tops) - offsets[name] for name in column]
            slack = scipy.optimize.isotonic_regression(wanted).x
            tops |= {n: offsets[n] + float(s) for n, s in zip(column, slack, strict=True)}
    highest = min(tops.values(), default=0)
    return {name: top - highest for name, top in tops.items()}


def _curve(x: float, y: float, passed: list[float], target: Box) -> str:
    """From a row to the left, level through each column that it passes, to the target's heading."""
    data = f"M{x:.0f} {y:.1f}"
    bend = _GUTTER / 2
    for at in (*passed, target.door):
        end = x - _GUTTER
        data += f"C{x - bend:.0f} {y:.1f} {end + bend:.0f} {at:.1f} {end:.0f} {at:.1f}"
        x, y = end - _BOX, at
        if x > target.x:
            data += f"H{x:.0f}"
    return data + ARROW
