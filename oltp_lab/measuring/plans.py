"""The plans of statements that pg_stat_statements tells of, without running them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg import sql as pg

from oltp_lab import sql
from oltp_lab.servers import Database

_EXPLAINED = re.compile(r"^\s*(--.*\n\s*)*(select|insert|update|delete|merge|with|values)\b", re.I)
_TYPED = re.compile(r"\b(interval|date|time|timestamp|timestamptz) (\$\d+)", re.I)
"""How pg_stat_statements leaves typed constants behind, which no parser takes."""
_CALL = re.compile(r"^Result$|^Function Scan|^ProjectSet\n +->  Result$")


def generic(database: Database, statements: Sequence[Mapping[str, Any]]) -> list[str]:
    """The generic plan of each, as its role would be given it; what has none says why.

    A statement has a ``query`` with ``$1`` for its constants, and a ``role``. Nothing is executed.
    """
    if not statements:
        return []
    try:
        with database.connect() as connection:
            return [_plan(connection, row["query"], row["role"]) for row in statements]
    except psycopg.OperationalError as error:
        return [_none(error)] * len(statements)


def _plan(connection: psycopg.Connection, query: str, role: str) -> str:
    if not _EXPLAINED.match(query):
        return "no plan: a utility statement"
    queries = sql.queries("measuring/server.sql")
    explain = pg.SQL("explain (generic_plan, costs off) ") + pg.SQL(_TYPED.sub(r"\2::\1", query))  # type: ignore[arg-type]
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(queries["limit_explain"])
            connection.execute(queries["enter_some_tenant"])
            connection.execute(pg.SQL("set local role {}").format(pg.Identifier(role)))
            # Not by psycopg's parameters: the statement's own are part of what is explained.
            lines = [line for (line,) in connection.execute(explain.as_bytes(connection))]
    except psycopg.OperationalError:
        raise
    except psycopg.Error as error:
        return _none(error)
    plan = "\n".join(lines)
    return f"{plan}\n(what the function does is not seen here)" if _CALL.search(plan) else plan


def _none(error: psycopg.Error) -> str:
    return f"no plan: {str(error).splitlines()[0]}"
