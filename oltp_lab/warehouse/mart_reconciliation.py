"""Do the marts equal staging? Control totals by tenant and day, and rows that are made anew.

As with staging itself, both are compared as of one snapshot of the OLTP database: staging is
brought up to it, the marts are refreshed, and all is undone. The totals are those of the file of
the mart's name in ``sql/warehouse/checks``, its queries ``mart`` and ``staging`` with the columns
tenant_id, day (null for a figure of no one day), figure and total. They are told in another way
than the mart is made, but not of each column. So rows are made anew too: those of some tenants,
each time of others, and all of them when a total differs, which names the keys.
"""

import time
from collections.abc import Sequence
from typing import LiteralString

import duckdb
from psycopg.sql import SQL, Composable, Identifier, Literal

from oltp_lab import sql
from oltp_lab.servers import Database
from oltp_lab.warehouse import extraction, marts, reconciliation
from oltp_lab.warehouse.marts import Mart
from oltp_lab.warehouse.reconciliation import SHOWN, SHOWN_KEYS
from oltp_lab.warehouse.tables import Description

SLICE = 10_000
"""Rows of a mart, about, that are made anew each time."""
TURN_S = 300
"""Seconds after which it is the turn of the next ones."""


def reconcile(
    connection: duckdb.DuckDBPyConnection,
    database: Database,
    descriptions: Sequence[Description],
    chosen: Sequence[Mart] | None = None,
) -> dict[Mart, list[str]]:
    """Compare the marts (all by default) with staging on one snapshot; nothing is changed.

    Gives sentences on what differs. ``descriptions`` are those of the tables that the marts read.
    Raises LabError when one of them was never built.
    """
    chosen = marts.discovered() if chosen is None else chosen
    with reconciliation.on_snapshot(connection, database) as taken:
        marts.refuse_unbuilt(connection, chosen)
        for description in descriptions:
            extraction.bring_up(connection, description, taken)
        marts.bring_up(connection, chosen)
        return {mart: differences(connection, mart) for mart in chosen}


def differences(connection: duckdb.DuckDBPyConnection, mart: Mart) -> list[str]:
    """How a mart differs from staging as it is, all of which it must have taken in."""
    sides = {side: mart.total(side) for side in ("mart", "staging")}
    totals = connection.execute(_composed("totals", **sides)).fetchall()
    slices = 1 if totals else max(1, connection.table(f"marts.{mart.name}").shape[0] // SLICE)
    told = [
        f"tenant {tenant} has{f' on {day}' if day else ''} {ours} {figure} in the mart and "
        f"{theirs} in staging"
        for tenant, day, figure, ours, theirs in totals
    ]
    rows = [
        f"{key}: {too_many} rows of the mart are wrong or too many, and {lacking} are missing"
        for key, too_many, lacking in _differing_rows(connection, mart, slices)
    ]
    return told[:SHOWN] + rows[:SHOWN_KEYS]


def _differing_rows(
    connection: duckdb.DuckDBPyConnection, mart: Mart, slices: int
) -> list[tuple[str, int, int]]:
    """Keys whose rows are not what staging gives: how many of these rows, and of those."""
    keys, turn = mart.query("keys"), int(time.time()) // TURN_S % slices
    described = connection.execute(_composed("key_columns", keys=keys)).fetchall()
    columns = [Identifier(name) for (name,) in described]
    tenant = Identifier("tenant_id")
    parts = {
        "keys": keys,
        "key": SQL(", ").join(columns),
        "sliced_by": tenant if tenant in columns else SQL(", ").join(columns),
        "slices": Literal(slices),
        "turn": Literal(turn),
    }
    connection.execute(_composed("scope", **parts))
    query = _composed("differing_rows", mart=mart.table, rows=mart.query("rows"), **parts)
    return connection.execute(query).fetchall()


def _composed(name: str, **parts: Composable) -> str:
    query: LiteralString = sql.queries("warehouse/checks/mart_reconciliation.sql")[name]
    return SQL(query).format(**parts).as_string()
