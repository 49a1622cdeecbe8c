-- Aimed at two tenants' enrollments; one is updated.
\set tenant random_zipfian(1, :tenants, 1.1)
\set other random(1, :tenants)
\set target random(1, :targets)
\startpipeline
select lab.enter_tenant(scratch_load.tenant(:tenant));
with moved as (
    update campaigns.enrollments
    set rotation = rotation + 1, updated_at = now()
    where id in (
        select enrollment_id from scratch_load.targets
        where tenant in (:tenant, :other) and target = :target
    )
    returning tenant_id
)
select scratch_load.assert_isolated(scratch_load.tenant(:tenant), array_agg(tenant_id)) from moved;
\endpipeline
