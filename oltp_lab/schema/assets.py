"""The asset ``schema``: what Dagster sees of building the database."""

import dagster as dg

from oltp_lab.resources import Oltp
from oltp_lab.schema import build, interface


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
        described = interface.page(connection)
    context.log.info(
        "schema %s: %s", built.content_hash, "rebuilt" if built.rebuilt else "unchanged"
    )
    return dg.MaterializeResult(
        metadata={
            "rebuilt": built.rebuilt,
            "content_hash": built.content_hash,
            "incarnation": built.incarnation,
            "server_version": database.server.version,
            "interface": dg.MetadataValue.md(described),
        }
    )


assets = [schema]
