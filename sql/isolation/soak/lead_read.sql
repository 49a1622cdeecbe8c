-- Two tenants' leads, as a join finds them.
\set tenant random_zipfian(1, :tenants, 1.1)
\set other random(1, :tenants)
\set target random(1, :targets)
\startpipeline
select lab.enter_tenant(scratch_load.tenant(:tenant));
select scratch_load.assert_isolated(scratch_load.tenant(:tenant), array_agg(tenant_id))
from campaigns.leads
where id in (
    select lead_id from scratch_load.targets where tenant in (:tenant, :other) and target = :target
);
\endpipeline
