-- A flag that nobody changes is what it was, whatever becomes of the others.
\set answer random(1, :answers)
\startpipeline
select lab.enter_tenant(a.tenant_id, a.user_id) from scratch_load.answers a where a.answer = :answer;
select scratch_load.note('flag_steady', 'changed', :client_id)
from scratch_load.answers a
where a.answer = :answer and configuration.flag_enabled(a.tenant_id, a.user_id, a.flag_key) <> a.is_on;
select scratch_load.assert_isolated(a.tenant_id, array(
    select distinct tenant_id from (select tenant_id from configuration.tenant_settings limit 20) as seen))
from scratch_load.answers a
where a.answer = :answer;
\endpipeline
