"""The schema as pictures: for each domain its tables, and lines for foreign keys, from the catalog.

Each is drawn twice, for a wide and a narrow screen; ``schema.html.j2`` makes SVG of it.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

import psycopg
from psycopg.rows import class_row

from oltp_lab import sql
from oltp_lab.findings.schema_boxes import Column, Drawing, Table
from oltp_lab.findings.schema_layouts import beside, stacked

_AT_MOST = 8  # columns of a table, unless more are keys


@dataclass(frozen=True)
class Picture:
    """A domain: how much of what, and its drawings."""

    domain: str
    tables: int
    keys: int
    wide: Drawing
    narrow: Drawing


def read(connection: psycopg.Connection) -> list[Picture]:
    """A picture of each domain of the database."""
    with connection.cursor(row_factory=class_row(Column)) as cursor:
        columns = cursor.execute(sql.queries("findings/report/schema.sql")["columns"]).fetchall()
    domains = itertools.groupby(columns, key=attrgetter("domain"))
    return [_picture(domain, list(members)) for domain, members in domains]


def _picture(domain: str, columns: Sequence[Column]) -> Picture:
    tables = [
        _table(name, list(members))
        for name, members in itertools.groupby(columns, key=attrgetter("table"))
    ]
    keys = sum(column.target is not None for column in columns)
    return Picture(domain, len(tables), keys, beside(tables), stacked(tables))


def _table(name: str, columns: Sequence[Column]) -> Table:
    """Its keys, and of the other columns the first ones."""
    others = [column for column in columns if not (column.key or column.target)]
    left_out = others[max(0, _AT_MOST - len(columns) + len(others)) :]
    shown = tuple(column for column in columns if column not in left_out)
    return Table(name, shown, len(left_out))
