-- A mail is sent: is there one left this month? Large tenants send more.
\set account random_zipfian(1, :accounts, 1.1)
\startpipeline
select lab.enter_tenant(scratch_load.account(:account));
select scratch_load.consume(scratch_load.account(:account), 'emails_per_month', 1, :client_id);
select scratch_load.assert_isolated(scratch_load.account(:account), array_agg(distinct tenant_id))
from (select tenant_id from billing.subscriptions limit 20) as seen;
\endpipeline
