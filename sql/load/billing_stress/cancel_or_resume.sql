-- Ends a subscription with its period, or thinks better of it.
\set account random_zipfian(1, :accounts, 1.1)
\startpipeline
select lab.enter_tenant(scratch_load.account(:account));
select scratch_load.cancel_or_resume(scratch_load.account(:account), :client_id);
select scratch_load.assert_isolated(scratch_load.account(:account), array_agg(distinct tenant_id))
from (select tenant_id from billing.subscriptions limit 20) as seen;
\endpipeline
