-- Does another tenant write to this address, asked by an upsert?
-- expected: closed
-- observes: answer
-- advice: Begin every unique key with the tenant's column.

-- name: secrets
select s.secret, case when s.secret then l.email else md5(random()::text) || '@example.com' end as address
from (values (true), (false)) as s (secret)
cross join (
    select l.email from campaigns.leads l
    where l.tenant_id = %(victim)s
      and not exists (select from campaigns.leads o where o.tenant_id = %(own)s and o.email_norm = l.email_norm)
    limit %(trials)s) as l;

-- name: probe
insert into campaigns.leads as l (tenant_id, email) values (%(own)s, %(address)s)
on conflict (tenant_id, email_norm) do update set last_name = l.last_name
returning xmax = 0;
