-- Is another tenant at work on a table, by pg_locks?
-- expected: closed
-- closed by: superuser
-- observes: number
-- victim: waits
-- because: Who holds which lock is everybody's to read, keys of advisory locks too.
-- advice: Revoke execute on pg_lock_status() from public.

-- name: act
select count(*) from campaigns.lists where tenant_id = %(victim)s;

-- name: probe
select count(*) from pg_locks where relation = 'campaigns.lists'::regclass and pid <> pg_backend_pid();
