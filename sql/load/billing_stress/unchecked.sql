-- limit_check without the check: the difference between the two is what a limit costs.
\set account random_zipfian(1, :accounts, 1.1)
\startpipeline
select lab.enter_tenant(scratch_load.account(:account));
select scratch_load.hold(scratch_load.account(:account), 'unchecked', 1, 0, :client_id),
       scratch_load.note('unchecked', 'granted', :client_id);
select scratch_load.assert_isolated(scratch_load.account(:account), array_agg(distinct tenant_id))
from (select tenant_id from billing.subscriptions limit 20) as seen;
\endpipeline
