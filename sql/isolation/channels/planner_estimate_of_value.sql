-- Is this name frequent among the leads of other tenants, by what the planner expects?
-- expected: open
-- observes: number
-- reads: Plan Rows
-- because: text's equality is leakproof, so the planner may use what it knows of every tenant's rows, and EXPLAIN shows it.
-- advice: Let the application send no EXPLAIN. `alter table ... alter column ... set statistics 0` hides one column, at the price of its plans.

-- name: secrets
-- Backwards it is none, and of the same length, which patterns are judged by.
select s.secret, case when s.secret then l.last_name else reverse(l.last_name) end as word
from (values (true), (false)) as s (secret)
cross join (
    select last_name from campaigns.leads
    where tenant_id <> %(own)s and last_name is not null group by 1 order by count(*) desc limit 10) as l;

-- name: prepare
set plan_cache_mode = force_custom_plan;

-- name: probe
explain (format json) select from campaigns.leads where last_name = any (array_fill(%(word)s::text, array[100]));
