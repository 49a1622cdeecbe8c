-- Who is told that a growing flag is on will count on it.
\set account random_zipfian(1, :accounts, 1.1)
\set member random(1, 4)
\set flag random(1, :flags)
\startpipeline
select lab.enter_tenant(scratch_load.account(:account), scratch_load.member(:account, :member));
with asked as (
    select scratch_load.account(:account) as tenant_id, scratch_load.member(:account, :member) as user_id,
           scratch_load.flag(:flag / 3 * 3 + 1) as flag_key
)
insert into scratch_load.told (tenant_id, user_id, flag_key)
select tenant_id, user_id, flag_key from asked
where configuration.flag_enabled(tenant_id, user_id, flag_key)
on conflict do nothing;
select scratch_load.assert_isolated(scratch_load.account(:account), array_agg(distinct tenant_id))
from (select tenant_id from configuration.tenant_settings limit 20) as seen;
\endpipeline
