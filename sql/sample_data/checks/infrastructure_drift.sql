-- infrastructure.dns_checks: a record is as the last look-up found it, and drift is told where a look-up differs from the one before.
with told as (
    select c.*, lag(c.status) over by_record as before, lag(c.observed) over by_record as observed_before,
           lead(c.id) over by_record is null as is_last
    from infrastructure.dns_checks as c
    where c.status <> 'failed'
    window by_record as (partition by c.tenant_id, c.dns_record_id order by c.checked_at)
)
select r.tenant_id, r.id, c.checked_at, c.before, c.status, c.drift
from made
cross join infrastructure.dns_records as r
left join told as c on c.tenant_id = r.tenant_id and c.dns_record_id = r.id
where c.id is null
   or c.checked_at not between r.created_at and greatest(as_of, now())  -- dns_recheck adds to it
   or c.status <> infrastructure.judge_dns_record(r.kind, r.expected, c.observed, c.lookups)
   or c.drift is distinct from case when c.before = 'ok' and c.status <> 'ok' then 'lost'
                                    when c.before <> 'ok' and c.status = 'ok' then 'restored'
                                    when c.observed <> c.observed_before then 'changed' end
   or c.is_last and (r.status, r.observed, r.checked_at) is distinct from (c.status, c.observed, c.checked_at)
