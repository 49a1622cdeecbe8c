-- campaigns.events: everything happened between the campaign's start and its end, while the tenant lived, and before the history ends.
select v.tenant_id, v.id, v.kind, v.occurred_at
from sample_events as v
join sample_campaigns as c on c.tenant_id = v.tenant_id and c.id = v.campaign_id
join tenant_lives as t on t.tenant_id = v.tenant_id
where c.started_at is null
   or v.occurred_at < c.started_at
   or v.occurred_at > coalesce(c.finished_at, t.until)
   or (c.status = 'paused' and v.kind = 'sent' and v.occurred_at > c.updated_at)
