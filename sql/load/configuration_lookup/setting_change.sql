-- A user sets something, at times to what it cannot be.
\set account random_zipfian(1, :accounts, 1.1)
\set member random(1, 4)
\set setting random(1, :settings)
\set value random(0, 99)
\startpipeline
select lab.enter_tenant(scratch_load.account(:account), scratch_load.member(:account, :member));
select scratch_load.set_preference(
    scratch_load.account(:account), scratch_load.member(:account, :member), scratch_load.setting(:setting), :value, :client_id);
select scratch_load.assert_isolated(scratch_load.account(:account), array_agg(distinct tenant_id))
from (select tenant_id from configuration.tenant_settings limit 20) as seen;
\endpipeline
