-- What the report asks beside its findings; $table is the name of a measurement table.

-- name: columns
select table_name || '.' || column_name as name
from information_schema.columns
order by name;

-- name: runs
-- Every run that the table holds, newest first.
select
    run_id, max(recorded_at) as recorded_at, any_value(server_version) as server_version,
    any_value(scale) as scale, any_value(git_revision) as git_revision,
    any_value(settings ->> '$."machine.cores"') as cores, count(*) as rows
from query_table($table)
group by run_id
order by recorded_at desc;

-- name: noise
-- How far apart identical things came out in the newest experiment, as a share.
select arg_max(noise, recorded_at) as noise from experiments;

-- name: marts
-- Asked of the warehouse: the marts that there are.
select table_name from duckdb_tables() where schema_name = 'marts';
