-- The value that holds for a user.
\set account random_zipfian(1, :accounts, 1.1)
\set member random(1, 4)
\set setting random(1, :settings)
\startpipeline
select lab.enter_tenant(scratch_load.account(:account), scratch_load.member(:account, :member));
select configuration.resolve_setting(
    scratch_load.account(:account), scratch_load.member(:account, :member), scratch_load.setting(:setting));
select scratch_load.assert_isolated(scratch_load.account(:account), array_agg(distinct tenant_id))
from (select tenant_id from configuration.tenant_settings limit 20) as seen;
\endpipeline
