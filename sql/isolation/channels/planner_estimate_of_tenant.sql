-- Is this the id of a large tenant, by what the planner expects?
-- expected: open
-- observes: number
-- reads: Plan Rows
-- because: uuid's equality is leakproof, so the planner may use what it knows of every tenant's rows, and EXPLAIN shows it.
-- advice: Let the application send no EXPLAIN: it needs a proxy or an API in between, PostgreSQL has no right for it.

-- name: secrets
(select true as secret, l.tenant_id as guess from campaigns.leads l
 where l.tenant_id <> %(own)s group by 2 order by count(*) desc limit 10)
union all
select false, gen_random_uuid() from generate_series(1, %(trials)s);

-- name: prepare
set enable_indexscan = off; set enable_bitmapscan = off; set plan_cache_mode = force_custom_plan;

-- name: probe
explain (format json) select from campaigns.leads where tenant_id = any (array_fill(%(guess)s::uuid, array[100]));
