-- Is a flag on for a user?
\set account random_zipfian(1, :accounts, 1.1)
\set member random(1, 4)
\set flag random(1, :flags)
\startpipeline
select lab.enter_tenant(scratch_load.account(:account), scratch_load.member(:account, :member));
select configuration.flag_enabled(
    scratch_load.account(:account), scratch_load.member(:account, :member), scratch_load.flag(:flag));
select scratch_load.assert_isolated(scratch_load.account(:account), array_agg(distinct tenant_id))
from (select tenant_id from configuration.tenant_settings limit 20) as seen;
\endpipeline
