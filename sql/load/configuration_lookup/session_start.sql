-- A session begins: every flag that is on, and every setting.
\set account random_zipfian(1, :accounts, 1.1)
\set member random(1, 4)
\startpipeline
select lab.enter_tenant(scratch_load.account(:account), scratch_load.member(:account, :member));
select * from configuration.flags_in_effect(scratch_load.account(:account), scratch_load.member(:account, :member));
select * from configuration.settings_in_effect(scratch_load.account(:account), scratch_load.member(:account, :member));
select scratch_load.assert_isolated(scratch_load.account(:account), array_agg(distinct tenant_id))
from (select tenant_id from configuration.tenant_settings limit 20) as seen;
\endpipeline
