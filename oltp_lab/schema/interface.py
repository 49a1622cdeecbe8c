"""The interface page: tables, operations and rights, as the catalog of a built database has them.

``python -m oltp_lab.schema.interface FILE`` writes it, from a database built for nothing else.
"""

import itertools
import sys
from collections.abc import Iterable, Iterator
from operator import itemgetter
from pathlib import Path
from typing import Any

import psycopg

from oltp_lab import servers, settings, sql
from oltp_lab.measuring import markdown
from oltp_lab.schema import build
from oltp_lab.servers import databases

_HEAD = """\
# The interface of the OLTP database

What other stages build on. It is generated from the catalog of a built database by `make docs`;
the comments are those in `sql/`.
"""
_TABLES = """\
*Whose* rows a table holds: a **tenant**'s (`tenant_id` is in every key, and an application sees
only those of the tenant in context), the **platform**'s (belonging to no one tenant; policies say
who sees which), or everybody's alike (**shared**, without row level security). A table that is
*mirrored* has a `change_xid`, stamped by a trigger, and leaves tombstones, by which the warehouse
follows it without loss.
"""
_OPERATIONS = """\
Functions with their caller's rights unless they say otherwise, under row level security. The first
caller is the one that an operation is made for. A refusal that an operation names is what it
returns; anything else that is not allowed raises.
"""
_RIGHTS = """\
No role is a superuser or bypasses row level security, not even `lab_owner`.
"""
_POLICIES = """\
`current tenant` and `current user` are those in context (`lab.enter_tenant`), null without one.
"""


def page(connection: psycopg.Connection) -> str:
    """The page as markdown, from the database that the connection reaches."""
    return "\n".join(
        [
            _HEAD,
            "## Tables\n",
            _TABLES,
            *_sections(connection, "tables"),
            "## Operations\n",
            _OPERATIONS,
            *_sections(connection, "operations"),
            "## Roles\n",
            _RIGHTS,
            _table(*_read(connection, "roles")),
            "## Table rights\n",
            *_sections(connection, "rights"),
            "## Policies\n",
            _POLICIES,
            _table(*_read(connection, "policies")),
        ]
    )


def _read(connection: psycopg.Connection, query: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    cursor = connection.execute(sql.queries("schema/interface.sql")[query])
    return [column.name for column in cursor.description or ()], cursor.fetchall()


def _sections(connection: psycopg.Connection, query: str) -> Iterator[str]:
    """A table under a heading for each value of the first column."""
    header, rows = _read(connection, query)
    for name, members in itertools.groupby(rows, key=itemgetter(0)):
        yield f"### {name}\n"
        yield _table(header[1:], [row[1:] for row in members])


def _table(header: list[str], rows: Iterable[tuple[Any, ...]]) -> str:
    return f"{markdown.table(header, rows)}\n"


def main() -> None:
    """Write the page to the file that is named."""
    with databases.temporary(servers.oltp(settings.load())) as database:
        build.ensure(database)
        with database.connect() as connection:
            Path(sys.argv[1]).write_text(page(connection), "utf-8")


if __name__ == "__main__":
    main()
