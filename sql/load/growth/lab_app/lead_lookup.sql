-- A lead by its address, with what it was sent and did last.
select l.id, l.email, l.status, e.status as enrolled, e.step_id, h.history
from campaigns.leads l
left join campaigns.enrollments e on e.tenant_id = l.tenant_id and e.lead_id = l.id
cross join lateral (
    select array_agg(v.kind || ' ' || v.occurred_at order by v.occurred_at desc) as history
    from (
        select kind, occurred_at from campaigns.events
        where tenant_id = l.tenant_id and lead_id = l.id
        order by occurred_at desc limit 10
    ) as v
) as h
where l.tenant_id = %(tenant)s and l.email_norm = %(email)s
