-- Does another tenant write, by pg_stat_user_tables?
-- expected: open
-- observes: growth
-- victim: rolls back
-- because: The counters of a whole table are everybody's to read; who wrote is not in them.
-- advice: As a superuser, revoke execute on pg_stat_get_tuples_inserted(oid) and its like from public, and grant it to pg_monitor.

-- name: act
insert into campaigns.lists (tenant_id, name) select %(victim)s, 'covert channel ' || gen_random_uuid() from generate_series(1, 3);

-- name: flush
select pg_stat_force_next_flush();

-- name: probe
select n_tup_ins from pg_stat_user_tables where relid = 'campaigns.lists'::regclass;
