-- A page of leads in one status, newest first.
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
select scratch_load.assert_isolated(scratch_load.tenant(:tenant), array_agg(distinct tenant_id))
from (select tenant_id from campaigns.leads limit 20) as seen;
\endpipeline
