"""The portable layers need nothing that Nile or Citus lack; the whole is guarded and explained."""

import pytest

from oltp_lab import catalog, sql
from oltp_lab.schema import build
from oltp_lab.servers import Database

PORTABLE = sql.queries("schema/rules/portable.sql")
COMPLETE = sql.queries("schema/rules/complete.sql")

# Rules that an edit could disarm without anybody noticing: what each must catch.
BREACHES = {
    "constraints_start_with_the_tenant": "create table breach"
    " (tenant_id uuid, id uuid primary key)",
    "unique_indexes_start_with_the_tenant": "create table breach (tenant_id uuid, id uuid);"
    "create unique index breach_key on breach (id)",
    "tenant_tables_refer_to_tenant_tables": "create table breach (tenant_id uuid,"
    " user_id uuid references users.users, primary key (tenant_id, user_id))",
    "no_foreign_key_sets_null": "create table breach (tenant_id uuid"
    " references public.tenants on delete set null)",
    "no_sequences": "create table breach (tenant_id uuid, id bigserial)",
    "no_unlogged_tables": "create unlogged table breach (tenant_id uuid)",
    "tables_are_forced_or_shared": "create table public.breach (id uuid)",
    "indexes_are_explained": "create index breach_idx on campaigns.leads (first_name);"
    "comment on index campaigns.breach_idx is 'Leads by their first name.'",
    "foreign_keys_are_indexed": "create table public.breach (tenant_id uuid"
    " references public.tenants)",
    "operations_say_who_calls_them": "create function tenancy.breach() returns int return 1",
    "operations_are_called_by_who_they_say": "grant execute on function"
    " tenancy.suspend_tenant(uuid) to public",
}


@pytest.fixture
def portable(empty: Database) -> Database:
    with empty.connect() as connection:
        for file in build.layers():
            if file.startswith(("schema/nile", "schema/tables")):
                connection.execute(sql.read(file))
    return empty


@pytest.mark.parametrize("rule", PORTABLE)
def test_portable_layers_hold_to(portable: Database, rule: str) -> None:
    _holds_and_catches(portable, PORTABLE[rule], BREACHES.get(rule))


@pytest.mark.parametrize("rule", COMPLETE)
def test_the_schema_holds_to(database: Database, rule: str) -> None:
    _holds_and_catches(database, COMPLETE[rule], BREACHES.get(rule))


def _holds_and_catches(database: Database, rule: str, breach: str | None) -> None:
    with database.connect() as connection:
        assert connection.execute(rule).fetchall() == []  # type: ignore[arg-type]
        if breach:
            connection.execute(breach)  # type: ignore[arg-type]
            assert connection.execute(rule).fetchall() != []  # type: ignore[arg-type]
        connection.rollback()


def test_every_table_and_column_is_explained(database: Database) -> None:
    with database.connect() as connection:
        described = catalog.describe(connection)
    assert set(described) == set(catalog.tables())
    for table in described.values():
        assert table.comment, table.name
        assert [c.name for c in table.columns if not c.comment] == [], table.name
