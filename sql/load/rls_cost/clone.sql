-- Copies of tables without row level security, in scratch_load; {clone} and {table} are names, and
-- {clone_text} and {table_text} the same as text. What is written to has a second copy with it: the original
-- has triggers and foreign keys, too.

-- name: create
create table {clone} (like {table} including all excluding generated excluding indexes);
grant select, insert, update on {clone} to lab_app;
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
        execute regexp_replace(definition, ' \S+ ON \S+ ', ' ON ' || {clone_text}::regclass || ' ');
    end loop;
end
$$;

-- name: guard
-- The original's policies.
alter table {clone} enable row level security, force row level security;
do $$
declare
    policy record;
begin
    for policy in
        select polname, polpermissive, polroles, polcmd, pg_get_expr(polqual, polrelid) as qual,
            pg_get_expr(polwithcheck, polrelid) as checked
        from pg_policy where polrelid = {table_text}::regclass
    loop
        execute format('create policy %I on %s as %s for %s to %s %s %s',
            policy.polname, {clone_text}, case when policy.polpermissive then 'permissive' else 'restrictive' end,
            case policy.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end,
            (select string_agg(r::regrole::text, ', ') from unnest(policy.polroles) as r),
            'using (' || policy.qual || ')', 'with check (' || policy.checked || ')');
    end loop;
end
$$;

-- name: settle
vacuum (analyze) {clone};
