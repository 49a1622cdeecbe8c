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
comment on column staging.watermarks.server is 'System identifier and timeline of the server, and the database, that it was read from.';
comment on column staging.watermarks.incarnation is 'lab.incarnation of the database it was read from.';
comment on column staging.watermarks.snapshot is 'pg_current_snapshot() that the table equals.';
comment on column staging.watermarks.description is 'Hash of the columns as they were mirrored.';
comment on column staging.watermarks.taken_at is 'When the snapshot was taken, by the clock of the lab; data is at least as new.';

-- name: watermark
select server, incarnation, snapshot, description, taken_at from staging.watermarks where table_name = ?;

-- name: set_watermarks
insert or replace into staging.watermarks (table_name, server, incarnation, snapshot, description, taken_at)
select unnest(?::varchar[]), ?, ?, ?, unnest(?::varchar[]), ?;

-- name: make_anew
create or replace table {staging} ({definitions});

-- name: read_in_full
insert into {staging} select {columns} from {table};

-- name: comment_on_table
comment on table {staging} is {comment};

-- name: comment_on_column
comment on column {staging}.{column} is {comment};

-- name: read_changed
create or replace temp table changed as from postgres_query('oltp', ?);

-- name: read_buried
create or replace temp table buried as from postgres_query('oltp', ?);

-- name: read_old
-- Where the rows are that changed or are gone, and what the log keeps of them, by one scan. (What delete
-- returns is fetched row by row, which costs more than the scan.)
create or replace temp table old as
select staged.rowid as place, {columns}
from {staging} as staged
semi join (
    select {tenant} as gone_tenant_id, {id} as gone_id from changed
    union all
    select tenant_id, row_id from buried
) on gone_tenant_id = staged.{tenant} and gone_id = staged.{id};

-- name: delete_old
delete from {staging} where rowid in (select place from old);

-- name: count_deleted
select count(*) from old semi join buried on buried.tenant_id = old.{tenant} and buried.row_id = old.{id};

-- name: insert_changed
insert into {staging} ({names}) select {columns} from changed;

-- name: lag
-- Seconds from commit to the snapshot, over the rows of the delta.
select quantile_cont(epoch(?::timestamptz - committed_at), [0.5, 0.95, 0.99])
from (select committed_at from changed union all select committed_at from buried)
where committed_at is not null;
