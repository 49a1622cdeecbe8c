-- An explicit filter on tables without row level security.
\set tenant random_zipfian(1, :tenants, 1.1)
\set target random(1, :targets)
\startpipeline
select lab.enter_tenant(scratch_load.tenant(:tenant));
select id, email, first_name, last_name, status, custom_fields
from scratch_load.leads
where tenant_id = scratch_load.tenant(:tenant)
    and email_norm = (
        select email_norm from scratch_load.targets where tenant = :tenant and target = :target
    );
\endpipeline
