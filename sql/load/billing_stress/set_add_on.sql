-- More of an add-on at once and prorated, fewer at the end of the period.
\set account random_zipfian(1, :accounts, 1.1)
\set quantity random(0, 3)
\startpipeline
select lab.enter_tenant(scratch_load.account(:account));
select scratch_load.set_add_on(scratch_load.account(:account), 'extra_emails', :quantity, :client_id);
select scratch_load.assert_isolated(scratch_load.account(:account), array_agg(distinct tenant_id))
from (select tenant_id from billing.subscriptions limit 20) as seen;
\endpipeline
