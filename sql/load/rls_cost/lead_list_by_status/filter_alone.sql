-- An explicit filter on tables without row level security.
\set tenant random_zipfian(1, :tenants, 1.1)
\set status random(1, 4)
\startpipeline
select lab.enter_tenant(scratch_load.tenant(:tenant));
select id, email, first_name, last_name, created_at
from scratch_load.leads
where tenant_id = scratch_load.tenant(:tenant)
    and status = (array['new', 'contacted', 'engaged', 'replied'])[:status]
order by created_at desc
limit 50;
\endpipeline
