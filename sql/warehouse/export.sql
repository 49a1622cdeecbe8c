-- Marts written as Parquet files and read again.

-- name: tenant
select count(*) from staging.tenants where id = {tenant};

-- name: comments
-- What the table and its columns mean, by name; the table's under its own.
select table_name, comment from duckdb_tables()
where database_name = current_database() and schema_name = 'marts' and table_name = {label}
union all
select column_name, comment from duckdb_columns()
where database_name = current_database() and schema_name = 'marts' and table_name = {label};

-- name: of_tenant
select * from {mart} where tenant_id = {tenant}

-- name: of_days
select * from {mart} where day between {first} and {last}

-- name: write_tenant
copy ({rows} order by all) to {place} (format parquet, kv_metadata {comments});

-- name: write_days
copy ({rows} order by all) to {place} (format parquet, partition_by (day), kv_metadata {comments});

-- name: compare
-- The files' rows and the mart's: how many, and a sum over them that no other rows have; and how many
-- in the files are another's.
with written as (
    select {columns} from read_parquet({places}, hive_partitioning = {by_day}, union_by_name = true)
), expected as (
    select {columns} from ({rows})
)
select (select count(*) from written), (select count(*) from expected),
       (select sum(hash(written)) from written) is not distinct from (select sum(hash(expected)) from expected),
       (select count(*) from written where {foreign});
