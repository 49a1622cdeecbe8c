-- Two in three changes are of when and how much a campaign may send; else it is paused, or started again.
\set campaign random(1, :campaigns)
\set change random(1, 3)
\startpipeline
select lab.enter_tenant(scratch_load.tenant_of(:campaign));
\if :change < 3
select campaigns.set_window(tenant_id, id, '00:00', '24:00', '{1,2,3,4,5,6,7}', daily_cap, scratch_load.clock())
from campaigns.campaigns
where tenant_id = scratch_load.tenant_of(:campaign) and id = scratch_load.campaign_id(:campaign);
\else
select scratch_load.pause_or_start(:campaign);
\endif
select scratch_load.assert_isolated(scratch_load.tenant_of(:campaign), array_agg(distinct tenant_id))
from (select tenant_id from campaigns.campaigns limit 20) as seen;
\syncpipeline
select lab.enter_tenant(scratch_load.tenant_of(:campaign));
insert into scratch_load.witnessed (what, id, since, seen_at)
select 'paused', id, updated_at, scratch_load.clock()
from campaigns.campaigns
where tenant_id = scratch_load.tenant_of(:campaign) and id = scratch_load.campaign_id(:campaign) and status = 'paused';
\endpipeline
