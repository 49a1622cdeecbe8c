-- What does another tenant call its prepared transactions?
-- expected: closed
-- closed by: superuser
-- observes: answer
-- victim: commits
-- because: pg_prepared_xacts is everybody's to read.
-- advice: Revoke execute on pg_prepared_xact() from public; keep names free of what they are for.

-- name: act
prepare transaction 'covert channel';

-- name: probe
select count(*) from pg_prepared_xacts where gid = 'covert channel';

-- name: undo
rollback prepared 'covert channel';
