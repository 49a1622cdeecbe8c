-- Building and refreshing any mart, and how far each has come.

-- name: prepare
create schema if not exists marts;
create table if not exists staging.positions (
    mart         varchar primary key,
    definition   varchar not null,
    sources      varchar[] not null,
    position     bigint not null,
    refreshed_at timestamptz not null
);
comment on table staging.positions is 'Up to which change of staging each mart has taken in.';
comment on column staging.positions.mart is 'The mart.';
comment on column staging.positions.definition is 'Hash of its queries; with another it is built anew.';
comment on column staging.positions.sources is 'The staging tables that it reads.';
comment on column staging.positions.position is 'Number of the latest change that it has taken in (staging.changes).';
comment on column staging.positions.refreshed_at is 'When it last was looked after, whether or not there was anything to take in.';

-- name: positions
select mart, definition, position from staging.positions;

-- name: take_positions
insert or replace into staging.positions (mart, definition, sources, position, refreshed_at)
select unnest(?::varchar[]), unnest(?::varchar[]), unnest(?::varchar[][]), position, now()
from (select coalesce(max(latest), 0) as position from staging.changes);

-- name: gone
-- Marts that were built here and have no file any more.
select mart from staging.positions where not list_contains(?::varchar[], mart);

-- name: remove
drop table if exists {mart};
delete from staging.positions where mart = {label};

-- name: scope
create or replace temp table scope as select distinct * from ({keys});

-- name: keys
create or replace temp table keys as
select row_number() over () as place, * from (select distinct * from ({keys}) order by all);

-- name: part
create or replace temp table scope as select * exclude (place) from keys where place > {after} and place <= {upto};

-- name: build
create or replace table {mart} as {rows};

-- name: delete_scope
delete from {mart} as old using scope where {same_key};

-- name: insert_scope
insert into {mart} {rows};

-- name: taken_at
-- When the snapshots were taken that the staging tables equal.
select split_part(table_name, '.', 2), taken_at from staging.watermarks;

-- name: columns
select column_name, data_type, comment from duckdb_columns()
where database_name = current_database() and schema_name = 'marts' and table_name = ?
order by column_index;
