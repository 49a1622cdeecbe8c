-- A lead by its address: an import, a reply that came in.
\set tenant random_zipfian(1, :tenants, 1.1)
\set target random(1, :targets)
\startpipeline
select lab.enter_tenant(scratch_load.tenant(:tenant));
select id, email, first_name, last_name, status, custom_fields
from campaigns.leads
where tenant_id = scratch_load.tenant(:tenant)
    and email_norm = (
        select email_norm from scratch_load.targets where tenant = :tenant and target = :target
    );
select scratch_load.assert_isolated(scratch_load.tenant(:tenant), array_agg(distinct tenant_id))
from (select tenant_id from campaigns.leads limit 20) as seen;
\endpipeline
