-- A step was executed: the lead moves on in the run's own campaign.
\set tenant random_zipfian(1, :tenants, 1.1)
\set target random(1, :targets)
\startpipeline
select lab.enter_tenant(scratch_load.tenant(:tenant));
with moved as (
    update campaigns.enrollments
    set rotation = rotation + 1, due_at = now() + interval '1 day', updated_at = now()
    where tenant_id = scratch_load.tenant(:tenant)
        and id = (
            select enrollment_id from scratch_load.targets where tenant = :tenant and target = :target
        )
    returning tenant_id
)
select scratch_load.assert_isolated(scratch_load.tenant(:tenant), array_agg(tenant_id)) from moved;
select scratch_load.assert_isolated(scratch_load.tenant(:tenant), array_agg(distinct tenant_id))
from (select tenant_id from campaigns.enrollments limit 20) as seen;
\endpipeline
