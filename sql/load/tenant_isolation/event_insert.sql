-- A mail of the run's own campaign was sent.
\set tenant random_zipfian(1, :tenants, 1.1)
\set target random(1, :targets)
\startpipeline
select lab.enter_tenant(scratch_load.tenant(:tenant));
insert into campaigns.events (tenant_id, campaign_id, lead_id, step_id, kind, occurred_at)
select
    scratch_load.tenant(:tenant), scratch_load.campaign(:tenant), lead_id, scratch_load.step(:tenant),
    'sent', now()
from scratch_load.targets
where tenant = :tenant and target = :target;
select scratch_load.assert_isolated(scratch_load.tenant(:tenant), array_agg(distinct tenant_id))
from (select tenant_id from campaigns.events limit 20) as seen;
\endpipeline
