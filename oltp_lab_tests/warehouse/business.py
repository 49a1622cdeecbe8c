"""A little business, and what either side holds of a table."""

import json
from typing import Any

import duckdb
from psycopg.sql import SQL, Identifier

from oltp_lab.servers import Database
from oltp_lab.warehouse import extraction, marts, transactions
from oltp_lab.warehouse.extraction import Synced
from oltp_lab.warehouse.marts import Mart
from oltp_lab.warehouse.tables import Description, TableSpec, describe

_BUSINESS = """
insert into public.tenants (name)
select 'tenant ' || n from generate_series(1, 3) as n;

insert into campaigns.campaigns (tenant_id, name, status)
select id, 'campaign ' || n, 'running' from public.tenants, generate_series(1, 2) as n;

insert into campaigns.steps (tenant_id, campaign_id, position, delay)
select tenant_id, id, 1, make_interval(months => 3, days => 1, secs => 0.25)
from campaigns.campaigns;

insert into campaigns.steps (tenant_id, campaign_id, position, parent_id, delay)
select tenant_id, campaign_id, 2, id, make_interval(months => 6, days => 2, secs => 0.5)
from campaigns.steps;

insert into campaigns.leads (tenant_id, email, first_name, last_name, custom_fields)
select id, 'Lead' || n || '@one.example', case n % 3 when 0 then 'Zoë' when 1 then '' end,
       e'O''Neil\\n"x"', jsonb_build_object('n', n, 'list', array[1.50, null], 'text', 'ß')
from public.tenants, generate_series(1, 30) as n;

insert into campaigns.enrollments (tenant_id, campaign_id, lead_id, step_id, due_at)
select s.tenant_id, s.campaign_id, l.id, s.id, now()
from campaigns.steps s join campaigns.leads l on l.tenant_id = s.tenant_id
where s.position = 1;

insert into campaigns.step_executions (tenant_id, enrollment_id, step_id, status, due_at)
select e.tenant_id, e.id, s.id, 'sent', now()
from campaigns.enrollments e
join campaigns.steps s on s.tenant_id = e.tenant_id and s.campaign_id = e.campaign_id;

insert into campaigns.events (tenant_id, campaign_id, lead_id, step_id, kind, occurred_at)
select e.tenant_id, e.campaign_id, e.lead_id, s.id, k.kind,
       timestamptz '2026-03-01 23:30:00+00'
       + make_interval(days => s.position, mins => k.n::integer * 17)
from campaigns.enrollments e
join campaigns.steps s on s.tenant_id = e.tenant_id and s.campaign_id = e.campaign_id
cross join unnest(array['sent', 'delivered', 'opened', 'clicked', 'replied', 'bounced',
                        'complained', 'unsubscribed']) with ordinality as k (kind, n)
where abs(hashtext(e.id::text || k.kind)) % 8 >= k.n - 1;

insert into campaigns.counters (tenant_id, campaign_id, kind, slot, total)
select tenant_id, campaign_id, kind, 0, count(*) from campaigns.events group by 1, 2, 3;
"""

LEADS = TableSpec("campaigns", "leads")


def add_business(database: Database) -> None:
    """Three tenants with two campaigns and thirty leads each."""
    with database.connect("lab_platform") as platform:
        platform.execute(_BUSINESS)


def sync(
    connection: duckdb.DuckDBPyConnection, database: Database, **options: Any
) -> dict[str, Synced]:
    """Sync every table; what was done, by the table's name."""
    done = extraction.sync(connection, database, describe(database), **options)
    return {synced.table_name: synced for synced in done}


def modes(done: dict[str, Synced]) -> set[str]:
    """The modes of a sync."""
    return {synced.mode for synced in done.values()}


def in_oltp(database: Database, description: Description) -> list[tuple]:
    """All rows of a table, as Python sees them, ordered by key."""
    query = SQL("select {} from {} order by {}").format(
        description.names,
        description.table.source,
        SQL(", ").join(map(Identifier, description.table.key)),
    )
    with database.connect("lab_platform") as platform:
        return platform.execute(query).fetchall()


def in_staging(connection: duckdb.DuckDBPyConnection, table: TableSpec) -> list[tuple]:
    """Likewise in the warehouse."""
    order = ", ".join(table.key)
    return connection.table(f"staging.{table.name}").order(order).fetchall()


def assert_equal(connection: duckdb.DuckDBPyConnection, database: Database) -> None:
    """Every staging table holds exactly the rows of its OLTP table."""
    for description in describe(database):
        theirs = in_staging(connection, description.table)
        ours = in_oltp(database, description)
        assert _plain(description, theirs) == _plain(description, ours), description.table.label


def watermarks(connection: duckdb.DuckDBPyConnection) -> list[tuple]:
    """All watermarks."""
    return connection.table("staging.watermarks").order("all").fetchall()


def count(connection: duckdb.DuckDBPyConnection, table: str, condition: str) -> int:
    """Rows of a staging table that meet a condition."""
    return connection.table(f"staging.{table}").filter(condition).shape[0]


def _plain(description: Description, rows: list[tuple]) -> list[tuple]:
    """JSON as values: psycopg parses it, DuckDB gives its text."""
    places = [n for n, column in enumerate(description.columns) if column.warehouse == "json"]
    if not places:
        return rows
    (place,) = places
    return [
        (
            *row[:place],
            json.loads(row[place]) if isinstance(row[place], str) else row[place],
            *row[place + 1 :],
        )
        for row in rows
    ]


def stale(connection: duckdb.DuckDBPyConnection, mart: Mart) -> list[tuple]:
    """Some rows in which the mart differs from itself built anew; it stays as it is."""
    with transactions.transaction(connection, keep=False):
        connection.execute(f"create temp table refreshed as from marts.{mart.name}")
        marts._build(connection, mart)
        return connection.execute(
            f"(from refreshed except all from marts.{mart.name}) union all "
            f"(from marts.{mart.name} except all from refreshed) limit 5"
        ).fetchall()
