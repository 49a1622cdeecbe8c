-- Does another tenant import rows, by the size of the table?
-- expected: closed
-- closed by: superuser
-- observes: growth
-- victim: rolls back
-- because: The size of every table is everybody's to read, in blocks of 8 kB.
-- advice: sql/schema/catalogs.sql revokes it from public, where the lab is built by a superuser.

-- name: act
insert into campaigns.lists (tenant_id, name)
select %(victim)s, 'covert channel ' || gen_random_uuid() from generate_series(1, 300);

-- name: probe
select pg_relation_size('campaigns.lists');

-- name: tidy
vacuum (truncate) campaigns.lists;
