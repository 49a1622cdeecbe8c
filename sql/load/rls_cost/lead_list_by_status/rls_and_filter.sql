-- Row level security, and an explicit filter beside it.
\set tenant random_zipfian(1, :tenants, 1.1)
\set status random(1, 4)
\startpipeline
select lab.enter_tenant(scratch_load.tenant(:tenant));
select id, email, first_name, last_name, created_at
from campaigns.leads
where tenant_id = scratch_load.tenant(:tenant)
    and status = (array['new', 'contacted', 'engaged', 'replied'])[:status]
order by created_at desc
limit 50;
\endpipeline
