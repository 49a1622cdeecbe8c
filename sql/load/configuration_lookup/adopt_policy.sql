-- A tenant restricts itself, or no more: never beyond what is imposed on it.
\set account random_zipfian(1, :accounts, 1.1)
\set member random(1, 4)
\set limit random(30, 100)
\startpipeline
select lab.enter_tenant(scratch_load.account(:account), scratch_load.member(:account, :member));
select configuration.adopt_policy(
    scratch_load.account(:account), 'emails_per_day', case when :limit <= 60 then :limit::bigint end);
select scratch_load.assert_isolated(scratch_load.account(:account), array_agg(distinct tenant_id))
from (select tenant_id from configuration.tenant_settings limit 20) as seen;
\endpipeline
