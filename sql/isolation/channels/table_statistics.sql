-- Does another tenant write, by pg_stat_user_tables?
-- expected: closed
-- closed by: superuser
-- observes: growth
-- victim: rolls back
-- because: The counters of a whole table are everybody's to read; who wrote is not in them.
-- advice: sql/schema/catalogs.sql revokes it from public, where the lab is built by a superuser.

-- name: act
insert into campaigns.lists (tenant_id, name) select %(victim)s, 'covert channel ' || gen_random_uuid() from generate_series(1, 3);

-- name: flush
select pg_stat_force_next_flush();

-- name: probe
select n_tup_ins from pg_stat_user_tables where relid = 'campaigns.lists'::regclass;
