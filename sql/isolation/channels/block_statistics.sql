-- Does another tenant read a table, by pg_statio_user_tables?
-- expected: closed
-- closed by: superuser
-- observes: growth
-- victim: rolls back
-- because: The counters of a whole table are everybody's to read; who read is not in them.
-- advice: sql/schema/catalogs.sql revokes it from public, where the lab is built by a superuser.

-- name: act
select count(*) from campaigns.leads where tenant_id = %(victim)s;

-- name: flush
select pg_stat_force_next_flush();

-- name: probe
select heap_blks_read + heap_blks_hit from pg_statio_user_tables where relid = 'campaigns.leads'::regclass;
