-- How much does anybody else write, by the position in the write-ahead log?
-- expected: closed
-- closed by: superuser
-- observes: growth
-- victim: rolls back
-- because: The position is everybody's to read.
-- advice: sql/schema/catalogs.sql revokes it from public, where the lab is built by a superuser.

-- name: act
insert into campaigns.lists (tenant_id, name)
select %(victim)s, 'covert channel ' || gen_random_uuid() from generate_series(1, 20);

-- name: probe
select pg_current_wal_insert_lsn() - '0/0'::pg_lsn;
