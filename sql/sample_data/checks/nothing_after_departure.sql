-- campaigns.events: who replied, unsubscribed, bounced or complained is sent nothing and enrolled nowhere afterwards.
with departed as (
    select tenant_id, lead_id, min(occurred_at) as at
    from sample_events
    where kind in ('replied', 'unsubscribed', 'bounced', 'complained')
    group by tenant_id, lead_id
)
select 'sent' as what, e.tenant_id, e.id
from sample_events as e
join departed as d using (tenant_id, lead_id)
where e.kind = 'sent' and e.occurred_at >= d.at
union all
select 'enrolled', e.tenant_id, e.id
from sample_enrollments as e
join departed as d using (tenant_id, lead_id)
where e.created_at >= d.at
