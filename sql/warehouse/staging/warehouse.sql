-- What the extraction does in the warehouse.

-- name: prepare
create schema if not exists staging;
create table if not exists staging.watermarks (
    table_name  varchar primary key,
    server      varchar not null,
    incarnation varchar not null,
    snapshot    varchar not null,
    description varchar not null,
    taken_at    timestamptz not null
);
comment on table staging.watermarks is 'Up to where each staging table has been filled.';
comment on column staging.watermarks.table_name is 'The mirrored table, schema.name.';
comment on column staging.watermarks.server is 'System identifier and timeline of the server it was read from.';
comment on column staging.watermarks.incarnation is 'lab.incarnation of the database it was read from.';
comment on column staging.watermarks.snapshot is 'pg_current_snapshot() that the table equals.';
comment on column staging.watermarks.description is 'Hash of the columns as they were mirrored.';
comment on column staging.watermarks.taken_at is 'When the snapshot was taken, by the clock of the lab; data is at least as new.';

-- name: watermark
select server, incarnation, snapshot, description, taken_at from staging.watermarks where table_name = ?;

-- name: set_watermark
insert or replace into staging.watermarks (table_name, server, incarnation, snapshot, description, taken_at)
values (?, ?, ?, ?, ?, ?);

-- name: read_in_full
create or replace table {staging} as select {columns} from {table};

-- name: comment_on_table
comment on table {staging} is {comment};

-- name: comment_on_column
comment on column {staging}.{column} is {comment};

-- name: read_changed
create or replace temp table changed as from postgres_query('oltp', ?);

-- name: read_buried
create or replace temp table buried as from postgres_query('oltp', ?);

-- name: delete_buried
delete from {staging} as old using buried
where old.{tenant} = buried.tenant_id and old.{id} = buried.row_id {returning};

-- name: delete_changed
delete from {staging} as old using changed where {same_key} {returning};

-- name: insert_changed
insert into {staging} ({names}) select {columns} from changed {returning};

-- name: lag
-- Seconds from commit to the snapshot, over the rows of the delta.
select quantile_cont(epoch(?::timestamptz - committed_at), [0.5, 0.95, 0.99])
from (select committed_at from changed union all select committed_at from buried)
where committed_at is not null;
