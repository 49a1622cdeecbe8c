-- Does pg_stats show which tenants are the largest?
-- expected: closed
-- observes: answer
-- advice: Keep row level security on: it hides the table's statistics from whom it holds back.

-- name: secrets
select s.secret, case when s.secret then t.tenant_id else gen_random_uuid() end as guess
from (values (true), (false)) as s (secret)
cross join (
    select l.tenant_id from campaigns.leads l
    where l.tenant_id <> %(own)s group by 1 order by count(*) desc limit 10) as t;

-- name: probe
select %(guess)s::text = any (most_common_vals::text::text[])
from pg_stats where schemaname = 'campaigns' and tablename = 'leads' and attname = 'tenant_id';
