-- The same by an operator that is not leakproof (CVE-2019-10130, CVE-2025-8713).
-- expected: closed
-- observes: number
-- reads: Plan Rows
-- advice: Run a version with the fixes: 18.0, 17.6, 16.10 or newer.

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
explain (format json) select from campaigns.leads where last_name ~~* %(word)s;
