"""Marts: tables that SQL over staging makes. A file in ``sql/warehouse/marts`` is a mart.

The file's first line says what it is. Its columns are documented by ``comment on column`` lines,
each ending in ``-- from TABLE.COLUMN, ...``: where in staging the column comes from. The file of
the same name in ``sql/warehouse/checks`` tells, in sentences, where mart and staging differ.
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import PurePath
from typing import LiteralString

import duckdb

from oltp_lab import sql
from oltp_lab.errors import LabError
from oltp_lab.warehouse.transactions import transaction

_READ = re.compile(r"\bstaging\.(\w+)")
_LINEAGE = re.compile(r"^comment on column marts\.\w+\.(\w+) is .*;\s+-- from (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Mart:
    """One mart: its name and its files below ``sql/``."""

    name: str

    @property
    def file(self) -> str:
        return f"warehouse/marts/{self.name}.sql"

    @property
    def check_file(self) -> str:
        return f"warehouse/checks/{self.name}.sql"

    @property
    def description(self) -> str:
        """The first line of its file."""
        return sql.read(self.file).splitlines()[0].removeprefix("-- ")

    @property
    def sources(self) -> tuple[str, ...]:
        """The staging tables that it reads."""
        return tuple(sorted(set(_READ.findall(sql.read(self.file)))))

    @property
    def lineage(self) -> dict[str, list[tuple[str, str]]]:
        """Of each column the staging columns, (table, column), that it comes from."""
        return {
            column: [_pair(source) for source in sources.split(", ")]
            for column, sources in _LINEAGE.findall(sql.read(self.file))
        }


@cache
def discovered() -> tuple[Mart, ...]:
    """Every mart, by name."""
    return tuple(Mart(PurePath(file).stem) for file in sql.files("warehouse/marts"))


def rebuild(connection: duckdb.DuckDBPyConnection, mart: Mart) -> int:
    """Build the mart from staging as it is, all or nothing; returns its rows.

    Raises LabError when a staging table has not been synced yet.
    """
    queries = _queries()
    with transaction(connection):
        missing = connection.execute(queries["missing"], [mart.sources]).fetchall()
        if missing:
            told = ", ".join(f"staging.{name}" for (name,) in missing)
            raise LabError(f"the warehouse has no {told} yet: run the job `analytics_sync`")
        connection.execute(queries["prepare"])
        connection.execute(sql.read(mart.file))
        connection.execute(queries["record"], [mart.name, _state(connection, mart)])
        return connection.table(f"marts.{mart.name}").shape[0]


def columns(connection: duckdb.DuckDBPyConnection, mart: Mart) -> list[tuple[str, str, str]]:
    """Name, type and comment of the mart's columns, in order."""
    return connection.execute(_queries()["columns"], [mart.name]).fetchall()


def differences(connection: duckdb.DuckDBPyConnection, mart: Mart) -> list[str] | None:
    """What differs between the mart and the staging tables that it was built from.

    None when a sync has moved them since: then there is nothing to compare it with. Raises LabError
    when the mart was never built.
    """
    try:
        with transaction(connection):
            built_from = connection.execute(_queries()["built_from"], [mart.name]).fetchone()
            if built_from != (_state(connection, mart),):
                return None
            return [told for (told,) in connection.execute(sql.read(mart.check_file)).fetchall()]
    except duckdb.CatalogException:
        raise LabError(
            f"there is no mart {mart.name} in the warehouse yet: run the job `analytics_sync`"
        ) from None


def _state(connection: duckdb.DuckDBPyConnection, mart: Mart) -> str:
    """A hash of the watermarks of what the mart reads."""
    (state,) = connection.execute(_queries()["state"], [mart.sources]).fetchone() or ("",)
    return state


def _queries() -> dict[str, LiteralString]:
    return sql.queries("warehouse/builds.sql")


def _pair(column: str) -> tuple[str, str]:
    table, name = column.split(".")
    return table, name
