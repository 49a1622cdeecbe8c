-- Does another tenant write to this address, by how long a scan of the whole table takes?
-- expected: closed
-- observes: time
-- advice: What one row more costs drowns in the scan's noise; averaging over many probes, or rows that are costly to judge, would raise it.

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

-- name: prepare
set enable_indexscan = off; set enable_bitmapscan = off; set max_parallel_workers_per_gather = 0;

-- name: probe
select count(*) from campaigns.leads where email_norm = %(address)s;
