-- Row level security, and an explicit filter beside it.
\set tenant random_zipfian(1, :tenants, 1.1)
\set target random(1, :targets)
\startpipeline
select lab.enter_tenant(scratch_load.tenant(:tenant));
insert into scratch_load.guarded_events (tenant_id, campaign_id, lead_id, step_id, kind, occurred_at)
select scratch_load.tenant(:tenant), lead_id, lead_id, lead_id, 'sent', now()
from scratch_load.targets
where tenant = :tenant and target = :target;
\endpipeline
