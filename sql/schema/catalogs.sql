-- All tenants' sessions are of one role, and PostgreSQL tells a role what its other sessions do. What
-- carries contents is for roles that may read all statistics alone: statements, keys of locks, names of
-- prepared transactions; large objects, which belong to roles, are for nobody. Only a superuser can say
-- so; elsewhere isolation/covert_channels tells what stays open. It holds for this database alone; to
-- undo it: grant execute on function ... to public, grant select on pg_stat_statements to public.

do $$
declare
    telling regprocedure;
begin
    -- What is left in a pooled session's temporary tables, the next tenant reads.
    execute format('revoke temporary on database %I from public', current_database());
    execute format('grant temporary on database %I to lab_platform', current_database());
    if not (select rolsuper from pg_roles where rolname = current_user) then
        return;
    end if;
    foreach telling in array array[
        'pg_stat_get_activity(integer)', 'pg_stat_get_backend_activity(integer)', 'pg_lock_status()', 'pg_prepared_xact()',
        'lo_create(oid)', 'lo_creat(integer)', 'lo_from_bytea(oid, bytea)']::regprocedure[]
    loop
        execute format('revoke execute on function %s from public', telling);
        execute format('grant execute on function %s to pg_read_all_stats', telling);
    end loop;
    for telling in
        select p.oid::regprocedure from pg_proc p
        join pg_depend d on d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e'
        join pg_extension e on e.oid = d.refobjid and e.extname = 'pg_stat_statements'
        where p.proname like 'pg_stat_statements%'
    loop
        execute format('revoke execute on function %s from public', telling);
        execute format('grant execute on function %s to pg_read_all_stats', telling);
    end loop;
end
$$;
