-- How many wait at each step of a campaign, and how many have passed it.
\set campaign random(1, :campaigns)
\startpipeline
select lab.enter_tenant(scratch_load.tenant_of(:campaign));
select * from campaigns.campaign_progress(scratch_load.tenant_of(:campaign), scratch_load.campaign_id(:campaign));
select scratch_load.assert_isolated(scratch_load.tenant_of(:campaign), array_agg(distinct tenant_id))
from (
    (select tenant_id from campaigns.enrollments limit 20)
    union all (select tenant_id from campaigns.step_executions limit 20)
) as seen;
\endpipeline
