-- The light load beside which `make freshness` looks at what is fresh.

-- name: mails
-- Some mails that were sent, of tenants that may write.
select e.tenant_id, e.campaign_id, e.lead_id, e.step_id
from campaigns.events e
join public.tenants t on t.id = e.tenant_id and t.status = 'active'
join campaigns.step_executions x on x.tenant_id = e.tenant_id and x.step_id = e.step_id and x.status = 'sent'
join campaigns.enrollments r on r.tenant_id = x.tenant_id and r.id = x.enrollment_id
    and r.campaign_id = e.campaign_id and r.lead_id = e.lead_id
where e.kind = 'sent'
order by md5(e.id::text) limit 2000;

-- name: opened
-- As the application does it; what a machine opens changes nothing but events and counters.
select lab.enter_tenant(%(tenant)s),
       campaigns.record_event(%(tenant)s, %(campaign)s, %(lead)s, %(step)s, 'opened', now(), %(automatic)s);
