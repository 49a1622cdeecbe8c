-- Which state of staging each mart was built from.

-- name: prepare
create schema if not exists marts;
create table if not exists staging.builds (
    mart       varchar primary key,
    built_from varchar not null,
    built_at   timestamptz not null
);
comment on table staging.builds is 'Which state of staging each mart was built from.';
comment on column staging.builds.mart is 'The mart.';
comment on column staging.builds.built_from is 'Hash of the watermarks of the staging tables that it reads.';
comment on column staging.builds.built_at is 'When it was built.';

-- name: missing
-- Staging tables that a mart reads and that are not there.
select needed.name from unnest(?::varchar[]) as needed (name)
anti join duckdb_tables() as t
    on t.database_name = current_database() and t.schema_name = 'staging' and t.table_name = needed.name;

-- name: state
-- Equal as long as no sync has moved one of the staging tables.
select md5(string_agg(concat_ws(' ', table_name, server, incarnation, snapshot, description), ', ' order by table_name))
from staging.watermarks where list_contains(?, split_part(table_name, '.', 2));

-- name: record
insert or replace into staging.builds (mart, built_from, built_at) values (?, ?, now());

-- name: built_from
select built_from from staging.builds where mart = ?;

-- name: columns
select column_name, data_type, comment from duckdb_columns()
where database_name = current_database() and schema_name = 'marts' and table_name = ?
order by column_index;
