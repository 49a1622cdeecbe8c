-- campaigns.leads: a lead's status and last change are what its events say.
with history as (
    select tenant_id, lead_id, max(occurred_at) as last_event,
           count(*) filter (where kind in ('opened', 'clicked')) as engagements,
           (array_agg(kind order by occurred_at) filter (
               where kind in ('replied', 'unsubscribed', 'bounced', 'complained')))[1] as departure
    from sample_events
    group by tenant_id, lead_id
)
select l.tenant_id, l.id, l.status, h.*
from tenant_lives as t
join campaigns.leads as l using (tenant_id)
left join history as h on h.tenant_id = l.tenant_id and h.lead_id = l.id
where l.status <> case when h.departure is not null then h.departure
                       when h.engagements > 0 then 'engaged'
                       when h.lead_id is not null then 'contacted'
                       else 'new' end
   or l.updated_at <> coalesce(h.last_event, l.created_at)
   or l.created_at < t.since
   or l.updated_at > t.until
