-- Does another tenant add rows, by how many rows EXPLAIN ANALYZE says were filtered out?
-- expected: open
-- observes: growth
-- reads: Rows Removed by Filter
-- victim: commits
-- because: EXPLAIN ANALYZE counts rows that the policy hid, and needs no right.
-- advice: Let the application send no EXPLAIN; it tells the number of rows of the whole table, not whose they are.

-- name: act
insert into campaigns.lists (tenant_id, name) select %(victim)s, 'covert channel ' || gen_random_uuid() from generate_series(1, 3);

-- name: prepare
set enable_indexscan = off; set enable_bitmapscan = off;

-- name: probe
explain (analyze, format json) select from campaigns.lists where tenant_id = %(own)s;

-- name: tidy
delete from campaigns.lists where name like 'covert channel %';
