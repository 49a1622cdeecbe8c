-- Has another tenant added rows, by pg_class.reltuples after the next ANALYZE?
-- expected: open
-- observes: growth
-- victim: commits
-- because: pg_class is everybody's to read, or no client could work.
-- advice: None is needed: it is an estimate of all tenants' rows together, as old as the last ANALYZE.

-- name: act
insert into campaigns.lists (tenant_id, name)
select %(victim)s, 'covert channel ' || gen_random_uuid() from generate_series(1, 5);

-- name: settle
analyze campaigns.lists (tenant_id);

-- name: probe
select reltuples from pg_class where oid = 'campaigns.lists'::regclass;

-- name: tidy
delete from campaigns.lists where name like 'covert channel %';
