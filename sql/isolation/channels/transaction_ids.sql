-- Does anybody else write, by how transaction ids grow?
-- expected: open
-- observes: growth
-- victim: rolls back
-- because: Transaction ids are one sequence for the whole server, and every row has one.
-- advice: None: it tells how much everybody together writes.

-- name: act
select pg_current_xact_id();

-- name: probe
select pg_snapshot_xmax(pg_current_snapshot())::text::bigint;
