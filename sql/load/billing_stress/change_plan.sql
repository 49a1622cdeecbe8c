-- Up at once and prorated, down at the end of the period; who has no subscription takes one.
\set account random_zipfian(1, :accounts, 1.1)
\set plan random(1, 5)
\startpipeline
select lab.enter_tenant(scratch_load.account(:account));
select scratch_load.change_plan(
    scratch_load.account(:account),
    (array['free', 'starter', 'growth', 'scale', 'enterprise'])[:plan], :client_id);
select scratch_load.assert_isolated(scratch_load.account(:account), array_agg(distinct tenant_id))
from (select tenant_id from billing.subscriptions limit 20) as seen;
\endpipeline
