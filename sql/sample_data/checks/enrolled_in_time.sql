-- campaigns.enrollments: a lead is enrolled while the campaign runs, after the lead was imported.
select e.tenant_id, e.id, e.created_at
from sample_enrollments as e
join sample_campaigns as c on c.tenant_id = e.tenant_id and c.id = e.campaign_id
join campaigns.leads as l on l.tenant_id = e.tenant_id and l.id = e.lead_id
join tenant_lives as t on t.tenant_id = e.tenant_id
where c.started_at is null
   or e.created_at < greatest(c.started_at, l.created_at)
   or greatest(e.created_at, e.updated_at) > coalesce(c.finished_at, t.until)
   or e.updated_at < e.created_at
