-- The newest running campaigns of a tenant, with their live counters.
select c.id, c.name, c.started_at, t.totals
from campaigns.list_campaigns(%(tenant)s, 'running', 20) as c
cross join lateral (select jsonb_object_agg(kind, total) as totals from campaigns.totals(c.tenant_id, c.id)) as t
