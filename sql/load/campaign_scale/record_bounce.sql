-- A mail server refuses, or a person complains: the lead is gone, and the campaign perhaps paused.
\set person random(1, :leads)
\set chance random(1, 20)
select scratch_load.report(:person, (array['complained', 'bounced'])[1 + least(:chance - 1, 1)]);
insert into scratch_load.witnessed (what, id, since, seen_at)
select 'gone', scratch_load.lead(:person), scratch_load.clock(), scratch_load.clock()
from campaigns.leads l
where l.tenant_id = scratch_load.sender_of(:person) and l.id = scratch_load.lead(:person)
    and l.status in ('unsubscribed', 'bounced', 'complained')
union all
select 'paused', c.id, c.updated_at, scratch_load.clock()
from scratch_load.people p
join campaigns.campaigns c on c.tenant_id = scratch_load.sender_of(:person) and c.id = scratch_load.campaign_id(p.campaign)
where p.person = :person and c.status = 'paused';
