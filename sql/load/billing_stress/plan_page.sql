-- What the tenant has, what it used, and what a larger plan would cost now.
\set account random_zipfian(1, :accounts, 1.1)
\startpipeline
select lab.enter_tenant(scratch_load.account(:account));
select * from billing.usage(scratch_load.account(:account), scratch_load.clock());
select kind, product_key, amount_cents
from billing.preview_change(scratch_load.account(:account), 'scale', at => scratch_load.clock());
select scratch_load.assert_isolated(scratch_load.account(:account), array_agg(distinct tenant_id))
from (select tenant_id from billing.subscriptions limit 20) as seen;
\endpipeline
