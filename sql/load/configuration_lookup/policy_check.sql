-- May this tenant do that?
\set account random_zipfian(1, :accounts, 1.1)
\set member random(1, 4)
\startpipeline
select lab.enter_tenant(scratch_load.account(:account), scratch_load.member(:account, :member));
select configuration.policy_allows(scratch_load.account(:account), 'allowed_providers', 'google'),
       configuration.policy_limit(scratch_load.account(:account), 'emails_per_day');
select scratch_load.assert_isolated(scratch_load.account(:account), array_agg(distinct tenant_id))
from (select tenant_id from configuration.tenant_settings limit 20) as seen;
\endpipeline
