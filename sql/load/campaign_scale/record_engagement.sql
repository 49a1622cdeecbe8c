-- Somebody opens the last mail, clicks, answers or unsubscribes.
\set person random(1, :leads)
\set chance random(1, 40)
\startpipeline
select lab.enter_tenant(scratch_load.sender_of(:person));
select scratch_load.report(:person, case
    when :chance <= 24 then 'opened' when :chance <= 36 then 'clicked' when :chance <= 39 then 'replied' else 'unsubscribed' end);
select scratch_load.assert_isolated(scratch_load.sender_of(:person), array_agg(distinct tenant_id))
from (
    (select tenant_id from campaigns.leads limit 20)
    union all (select tenant_id from campaigns.enrollments limit 20)
) as seen;
\syncpipeline
select lab.enter_tenant(scratch_load.sender_of(:person));
insert into scratch_load.witnessed (what, id, since, seen_at)
select 'gone', id, scratch_load.clock(), scratch_load.clock()
from campaigns.leads
where tenant_id = scratch_load.sender_of(:person) and id = scratch_load.lead(:person)
    and status in ('unsubscribed', 'bounced', 'complained');
\endpipeline
