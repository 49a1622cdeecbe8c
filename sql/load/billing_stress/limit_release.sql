-- Leads are deleted, which gives back room at the edge.
\set account random(1, :edges)
\set amount random(1, 5)
\startpipeline
select lab.enter_tenant(scratch_load.account(:account));
select scratch_load.release(scratch_load.account(:account), 'leads', :amount, :client_id);
select scratch_load.assert_isolated(scratch_load.account(:account), array_agg(distinct tenant_id))
from (select tenant_id from billing.subscriptions limit 20) as seen;
\endpipeline
