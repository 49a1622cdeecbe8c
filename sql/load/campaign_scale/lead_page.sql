-- A page of leads in one status, newest first.
\set person random(1, :leads)
\set status random(1, 4)
\startpipeline
select lab.enter_tenant(scratch_load.sender_of(:person));
select id, email, first_name, last_name, created_at
from campaigns.list_leads(scratch_load.sender_of(:person), (array['new', 'contacted', 'engaged', 'replied'])[:status]);
select scratch_load.assert_isolated(scratch_load.sender_of(:person), array_agg(distinct tenant_id))
from (select tenant_id from campaigns.leads limit 20) as seen;
\endpipeline
