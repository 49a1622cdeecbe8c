-- The newest running campaigns of a tenant, with their live counters.
\set campaign random(1, :campaigns)
\startpipeline
select lab.enter_tenant(scratch_load.tenant_of(:campaign));
select c.id, c.name, c.started_at, t.totals
from campaigns.list_campaigns(scratch_load.tenant_of(:campaign), 'running', 20) as c
cross join lateral (
    select jsonb_object_agg(kind, total) as totals from campaigns.totals(c.tenant_id, c.id)
) as t;
select scratch_load.assert_isolated(scratch_load.tenant_of(:campaign), array_agg(distinct tenant_id))
from (select tenant_id from campaigns.campaigns limit 20) as seen;
\endpipeline
