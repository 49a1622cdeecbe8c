-- Does another tenant write to this address, by how long an insert of it takes?
-- expected: closed
-- observes: time
-- advice: Begin every unique key with the tenant's column: both probes then come to the same place of the index.

-- name: secrets
-- Addresses that are not there have the same length and domain.
select s.secret, case when s.secret then l.email_norm
            else regexp_replace(l.email_norm, '^[^@]+', substr(md5(random()::text), 1, position('@' in l.email_norm) - 1)) end as address
from (values (true), (false)) as s (secret)
cross join (
    select l.email_norm from campaigns.leads l
    where l.tenant_id = %(victim)s
      and not exists (select from campaigns.leads o where o.tenant_id = %(own)s and o.email_norm = l.email_norm)
    limit %(trials)s) as l;

-- name: probe
insert into campaigns.leads (tenant_id, email) values (%(own)s, %(address)s);

-- name: tidy
vacuum campaigns.leads;
