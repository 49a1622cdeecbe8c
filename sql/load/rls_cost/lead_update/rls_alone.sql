-- Row level security alone keeps the tenants apart.
\set tenant random_zipfian(1, :tenants, 1.1)
\set target random(1, :targets)
\startpipeline
select lab.enter_tenant(scratch_load.tenant(:tenant));
update scratch_load.guarded_leads
set custom_fields = '{"score": 1}', updated_at = now()
where id = (
    select lead_id from scratch_load.targets where tenant = :tenant and target = :target
);
\endpipeline
