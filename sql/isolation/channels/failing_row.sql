-- Does another tenant write to this address, asked by an update that violates a check?
-- expected: closed
-- observes: answer
-- advice: Keep the policy for update as narrow as that for select: errors quote the row that failed.

-- name: secrets
select s.secret, case when s.secret then l.email_norm else md5(random()::text) || '@example.com' end as address
from (values (true), (false)) as s (secret)
cross join (
    select l.email_norm from campaigns.leads l
    where l.tenant_id = %(victim)s
      and not exists (select from campaigns.leads o where o.tenant_id = %(own)s and o.email_norm = l.email_norm)
    limit %(trials)s) as l;

-- name: probe
update campaigns.leads set status = 'nonsense' where email_norm = %(address)s;
