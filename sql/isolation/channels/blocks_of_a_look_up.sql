-- Does another tenant write to this address, by how many blocks a look-up of one's own touches?
-- expected: closed
-- observes: number
-- reads: Shared Hit Blocks
-- advice: Begin every index with the tenant's column: a look-up then never comes past others' rows.

-- name: secrets
select s.secret, case when s.secret then l.email_norm
            else regexp_replace(l.email_norm, '^[^@]+', substr(md5(random()::text), 1, position('@' in l.email_norm) - 1)) end as address
from (values (true), (false)) as s (secret)
cross join (
    select l.email_norm from campaigns.leads l
    where l.tenant_id = %(victim)s
      and not exists (select from campaigns.leads o where o.tenant_id = %(own)s and o.email_norm = l.email_norm)
    limit %(trials)s) as l;

-- name: prepare
set enable_seqscan = off;

-- name: probe
explain (analyze, buffers, format json) select from campaigns.leads where email_norm = %(address)s;
