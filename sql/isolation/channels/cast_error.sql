-- What is in another tenant's column, asked by a cast that quotes what it cannot read?
-- expected: closed
-- observes: answer
-- advice: Mark no function leakproof that can fail; put a security barrier on views.

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
select count(*) from campaigns.leads
where email_norm = %(address)s and custom_fields::text::integer > 0;
