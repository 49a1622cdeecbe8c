"""Marts as Parquet files: all of one tenant's rows, or days of every tenant's.

``python -m oltp_lab.warehouse.export --tenant UUID --to FOLDER`` writes a file for each mart. What
was written is read again before it appears: its rows are the mart's, and none is another tenant's.
A file's metadata holds what the mart and its columns mean (``parquet_kv_metadata``).
"""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from uuid import UUID

import click
import duckdb
from psycopg.sql import SQL, Composable, Identifier, Literal

from oltp_lab import sql
from oltp_lab.errors import LabError
from oltp_lab.resources.warehouse import Warehouse
from oltp_lab.warehouse import marts
from oltp_lab.warehouse.marts import Mart


@dataclass(frozen=True)
class Exported:
    """What was written of one mart: ``rows`` in the files below ``place``."""

    mart: Mart
    rows: int
    place: Path


def daily() -> list[Mart]:
    """Marts whose rows are of a day."""
    return [mart for mart in marts.discovered() if "day" in mart.lineage]


def export_tenant(
    connection: duckdb.DuckDBPyConnection, tenant: UUID, folder: Path
) -> list[Exported]:
    """Write the tenant's rows of every mart to ``folder/MART.parquet``, all files or none.

    Raises LabError when the folder holds something, when there is no such tenant or no mart, and
    when what was written is not what was asked for.
    """
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise LabError(f"{folder} is not an empty folder: choose another one with --to")
    marts.refuse_unbuilt(connection, marts.discovered())
    if _run(connection, "tenant", tenant=Literal(tenant)) == [(0,)]:
        raise LabError(f"the warehouse has no tenant {tenant}: choose one from staging.tenants")
    others = SQL("tenant_id is distinct from {}").format(Literal(tenant))
    with _drafted(folder) as draft:
        exported = []
        for mart in marts.discovered():
            file = draft / f"{mart.name}.parquet"
            rows = _query("of_tenant", mart=mart.table, tenant=Literal(tenant))
            _write(connection, "write_tenant", mart, rows, file)
            found = _checked(connection, mart, rows, [file], foreign=others)
            exported.append(Exported(mart, found, folder / file.name))
        draft.replace(folder)
    return exported


def export_days(
    connection: duckdb.DuckDBPyConnection, mart: Mart, first: date, last: date, folder: Path
) -> Exported:
    """Write a daily mart's rows of these days to ``folder/day=YYYY-MM-DD/``, for each day anew.

    A day without rows has no folder. Raises LabError when what was written is not the mart's.
    """
    marts.refuse_unbuilt(connection, [mart])
    rows = _query("of_days", mart=mart.table, first=Literal(first), last=Literal(last))
    with _drafted(folder) as draft:
        _write(connection, "write_days", mart, rows, draft)
        files = sorted(draft.glob("day=*/*.parquet"))
        others = SQL("day not between {} and {}").format(Literal(first), Literal(last))
        found = _checked(connection, mart, rows, files, foreign=others)
        folder.mkdir(parents=True, exist_ok=True)
        for stale in folder.glob("day=*"):
            if first.isoformat() <= stale.name.removeprefix("day=") <= last.isoformat():
                stale.replace(draft / f"stale-{stale.name}")
        for written in draft.glob("day=*"):
            written.replace(folder / written.name)
    return Exported(mart, found, folder)


@contextmanager
def _drafted(folder: Path) -> Iterator[Path]:
    """A folder beside the one meant, which is gone afterwards unless it took its place."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    draft.chmod(0o755)
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _write(
    connection: duckdb.DuckDBPyConnection, name: str, mart: Mart, rows: Composable, place: Path
) -> None:
    comments = SQL(", ").join(
        SQL("{}: {}").format(Literal(of), Literal(comment))
        for of, comment in _run(connection, "comments", label=Literal(mart.name))
    )
    told = SQL("{{{}}}").format(comments)
    _run(connection, name, rows=rows, place=Literal(str(place)), comments=told)


def _checked(
    connection: duckdb.DuckDBPyConnection,
    mart: Mart,
    rows: Composable,
    files: Sequence[Path],
    *,
    foreign: Composable,
) -> int:
    """How many rows were written, once they are known to be the mart's and none is foreign."""
    columns = SQL(", ").join(Identifier(name) for name, _, _ in marts.columns(connection, mart))
    if not files:
        return 0
    by_day = files[0].parent.name.startswith("day=")
    places = SQL("[{}]").format(SQL(", ").join(Literal(str(file)) for file in files))
    parts = {"columns": columns, "rows": rows, "places": places, "by_day": Literal(by_day)}
    ((written, expected, equal, others),) = _run(connection, "compare", foreign=foreign, **parts)
    if others or not equal:
        raise LabError(
            f"what was written of marts.{mart.name} is not what was asked for ({written} rows, "
            f"expected {expected}; {others} of another tenant or day): it was removed again"
        )
    return written


def _query(name: str, **parts: Composable) -> Composable:
    return SQL(sql.queries("warehouse/export.sql")[name]).format(**parts)


def _run(connection: duckdb.DuckDBPyConnection, name: str, **parts: Composable) -> list[tuple]:
    return connection.execute(_query(name, **parts).as_string()).fetchall()


@click.command()
@click.option("--tenant", type=UUID, required=True, help="Whose rows.")
@click.option(
    "--to", "folder", type=click.Path(path_type=Path), required=True, help="A new folder."
)
def main(tenant: UUID, folder: Path) -> None:
    """Write one tenant's rows of every mart as Parquet files."""
    with Warehouse().open(read_only=True) as connection:
        for done in export_tenant(connection, tenant, folder.absolute()):
            click.echo(f"{done.rows:>9,}  {done.place}")


if __name__ == "__main__":
    main()
