-- Does another tenant write to this address, asked by an expression that fails on that row?
-- expected: closed
-- observes: answer
-- advice: Mark no function leakproof that can fail.

-- name: secrets
select s.secret, case when s.secret then l.email_norm else md5(random()::text) || '@example.com' end as address
from (values (true), (false)) as s (secret)
cross join (
    select l.email_norm from campaigns.leads l
    where l.tenant_id = %(victim)s
      and not exists (select from campaigns.leads o where o.tenant_id = %(own)s and o.email_norm = l.email_norm)
    limit %(trials)s) as l;

-- name: prepare
set enable_indexscan = off; set enable_bitmapscan = off;

-- name: probe
select count(*) from campaigns.leads where 1 / case when email_norm = %(address)s then 0 else 1 end = 1;
