"""Notifications of a tenant, as tests make, see and clear away."""

import uuid
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql as pg
from psycopg.rows import dict_row

from oltp_lab_tests.configuration.conftest import Tenant

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def call(connection: psycopg.Connection, function: str, *arguments: object, **named: object) -> Any:
    """The value of a function of the schema integration."""
    given = [pg.Placeholder() for _ in arguments]
    given += [pg.SQL("{} => {}").format(pg.Identifier(n), pg.Placeholder()) for n in named]
    query = pg.SQL("select {}({})").format(
        pg.Identifier("integration", function), pg.SQL(", ").join(given)
    )
    (value,) = connection.execute(query, [*arguments, *named.values()]).fetchone() or (None,)
    return value


def rows(tenant: Tenant, where: str = "") -> list[dict[str, Any]]:
    with tenant.platform.cursor(row_factory=dict_row) as cursor:
        query = f"""select * from integration.notifications
            where tenant_id = %s {where} order by channel, user_id"""  # noqa: S608
        return cursor.execute(query, [tenant.id]).fetchall()  # type: ignore[arg-type]


def mailed(tenant: Tenant, at: datetime = NOW) -> uuid.UUID:
    """A pending notification to the owner."""
    call(tenant.platform, "notify", tenant.id, "digest", recipient=tenant.owner, at=at)
    return rows(tenant, "and status = 'pending'")[-1]["id"]


def retire(tenant: Tenant) -> None:
    """Nothing of it is due any more: claims go across tenants."""
    tenant.platform.execute(
        "delete from integration.notifications where tenant_id = %s", [tenant.id]
    )
