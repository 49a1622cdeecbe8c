-- campaigns.suppressions: who left is suppressed from that moment, for what they did, and nobody is sent a mail while suppressed.
with departed as (
    select v.tenant_id, l.email_norm, min(v.occurred_at) as at,
           (array_agg(v.kind order by v.occurred_at))[1] as kind
    from sample_events as v
    join campaigns.leads as l on l.tenant_id = v.tenant_id and l.id = v.lead_id
    where v.kind in ('unsubscribed', 'bounced', 'complained')
    group by v.tenant_id, l.email_norm
)
select 'departure' as what, tenant_id, email_norm
from departed as d
full join (select * from campaigns.suppressions where reason <> 'manual') as s using (tenant_id, email_norm)
where d.at is distinct from s.created_at or d.kind is distinct from s.reason or s.expires_at is not null
union all
select 'mail', s.tenant_id, s.email_norm
from campaigns.suppressions as s
join campaigns.leads as l on l.tenant_id = s.tenant_id and l.email_norm = s.email_norm
join sample_events as v on v.tenant_id = l.tenant_id and v.lead_id = l.id and v.kind = 'sent'
where v.occurred_at >= s.created_at and (s.expires_at is null or v.occurred_at < s.expires_at)
