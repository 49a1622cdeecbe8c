-- Copies of tables without row level security, in scratch_load; {clone} and {table} are names, and
-- {clone_text} and {table_text} the same as text.

-- name: create
create table {clone} (like {table} including all excluding generated excluding indexes);
grant select on {clone} to lab_app;
grant insert on {clone} to lab_platform;

-- name: fill
-- As lab_platform, who sees every row, and in the order of the original's pages.
insert into {clone} select * from {table};

-- name: index
-- The original's indexes, afterwards: half the time.
do $$
declare
    definition text;
begin
    for definition in select pg_get_indexdef(indexrelid) from pg_index where indrelid = {table_text}::regclass loop
        execute regexp_replace(definition, ' ON \S+ ', ' ON ' || {clone_text}::regclass || ' ');
    end loop;
end
$$;

-- name: settle
vacuum (analyze) {clone};
