-- What does another tenant keep in large objects?
-- expected: closed
-- closed by: superuser
-- observes: answer
-- victim: commits
-- because: Large objects belong to roles, and all tenants' sessions are of one.
-- advice: Revoke execute on lo_create(oid), lo_creat(integer) and lo_from_bytea(oid, bytea) from public.

-- name: act
select lo_from_bytea(4711, 'it happened');

-- name: probe
select count(*) from pg_largeobject_metadata where oid = 4711;

-- name: undo
select lo_unlink(oid) from pg_largeobject_metadata where oid = 4711;
