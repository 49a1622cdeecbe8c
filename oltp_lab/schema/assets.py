"""The asset ``schema``: what Dagster sees of building the database."""

from collections.abc import Iterable

import dagster as dg

from oltp_lab import catalog
from oltp_lab.measuring import markdown
from oltp_lab.resources import Oltp
from oltp_lab.schema import build


@dg.asset(
    group_name="schema",
    kinds={"postgres", "sql"},
    owners=["team:oltp_lab"],
    code_version=build.content_hash(),
    description="The OLTP database: tables, change tracking, state machines, roles, row level "
    "security and operations. Rebuilt, in one transaction, only when its SQL changed.",
)
def schema(context: dg.AssetExecutionContext, oltp: Oltp) -> dg.MaterializeResult:
    database = oltp.database()
    built = build.ensure(database)
    with database.connect() as connection:
        tables = catalog.describe(connection).values()
    context.log.info(
        "schema %s: %s tables, %s",
        built.content_hash,
        len(tables),
        "rebuilt" if built.rebuilt else "unchanged",
    )
    return dg.MaterializeResult(
        metadata={
            "rebuilt": built.rebuilt,
            "content_hash": built.content_hash,
            "incarnation": built.incarnation,
            "server_version": database.server.version,
            "tables": dg.MetadataValue.md(_table_list(tables)),
        }
    )


def _table_list(tables: Iterable[catalog.Table]) -> str:
    rows = ((f"{t.schema}.{t.name}", len(t.columns), t.comment) for t in tables)
    return markdown.table(("table", "columns", "what it holds"), rows, right=("columns",))


assets = [schema]
