-- How much does anybody else write, by the position in the write-ahead log?
-- expected: open
-- observes: growth
-- victim: rolls back
-- because: The position is everybody's to read.
-- advice: As a superuser, revoke execute on pg_current_wal_insert_lsn(), pg_current_wal_lsn() and pg_current_wal_flush_lsn() from public.

-- name: act
insert into campaigns.lists (tenant_id, name)
select %(victim)s, 'covert channel ' || gen_random_uuid() from generate_series(1, 20);

-- name: probe
select pg_current_wal_insert_lsn() - '0/0'::pg_lsn;
