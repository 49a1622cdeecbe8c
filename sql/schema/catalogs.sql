-- All tenants' sessions are of one role, and PostgreSQL tells every role how all others fare. What tells of
-- their sessions, statements, locks, reads, writes and sizes is for roles that may read all statistics;
-- large objects, which belong to roles, are for nobody. Only a superuser can say so; elsewhere
-- isolation/covert_channels tells what stays open. It holds for this database alone; to undo it: grant
-- execute on function ... to public, grant select on pg_stat_statements to public.

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
    for telling in
        select oid::regprocedure from pg_proc
        where pronamespace = 'pg_catalog'::regnamespace
          and (proname ~ '^(pg_stat_get_|lo_create?$|lo_from_bytea$|pg_current_wal_.*lsn$)'
               or proname in ('pg_lock_status', 'pg_prepared_xact', 'pg_relation_size', 'pg_table_size',
                              'pg_indexes_size', 'pg_total_relation_size', 'pg_database_size'))
    loop
        execute format('revoke execute on function %s from public', telling);
        execute format('grant execute on function %s to pg_read_all_stats', telling);
    end loop;
    -- What a sync and the description of the tables ask.
    grant execute on function pg_current_wal_lsn() to lab_analytics;
    -- DuckDB asks whether it reads from a standby, before it reads a large table by several sessions.
    grant execute on function pg_stat_get_wal_receiver() to lab_analytics;
    grant execute on function pg_total_relation_size(regclass) to lab_platform, lab_analytics;
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
