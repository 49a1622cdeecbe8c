-- Does another tenant hold an advisory lock?
-- expected: open
-- observes: answer
-- victim: waits
-- because: Advisory locks belong to the database, and anybody may try one.
-- advice: Make the tenant part of the key, so that one does not wait for another; two tenants that conspire can still signal.

-- name: act
select pg_advisory_xact_lock(4711);

-- name: probe
select pg_try_advisory_xact_lock(4711);
