-- A campaign is made with its sequence, three leads are enrolled, and it starts; or the plan has no room.
\set person random(1, :leads)
begin;
select lab.enter_tenant(scratch_load.sender_of(:person));
select s.tenant_id, s.template_id, made.campaign_id, made.refusal is null as allowed
from scratch_load.people p
join scratch_load.senders s using (sender)
cross join campaigns.create_campaign(s.tenant_id, 'Load run', at => scratch_load.clock()) as made
where p.person = :person \gset
\if :allowed
select campaigns.set_window(:tenant_id::uuid, :campaign_id::uuid, '00:00', '24:00', '{1,2,3,4,5,6,7}', 100, scratch_load.clock());
select campaigns.add_step(:tenant_id::uuid, :campaign_id::uuid, 'action', template => :template_id::uuid) as first \gset
select campaigns.add_step(:tenant_id::uuid, :campaign_id::uuid, 'condition', '2 seconds', :first::uuid) as asks \gset
select campaigns.add_condition(:tenant_id::uuid, :asks::uuid, 'opened', days => 3);
select campaigns.add_step(:tenant_id::uuid, :campaign_id::uuid, 'action', '1 second', :asks::uuid, 'yes', :template_id::uuid);
select campaigns.add_step(:tenant_id::uuid, :campaign_id::uuid, 'action', '1 second', :asks::uuid, 'no', :template_id::uuid);
select campaigns.enroll_leads(:tenant_id::uuid, :campaign_id::uuid, array(
    select id from campaigns.leads where tenant_id = :tenant_id::uuid and id >= scratch_load.lead(:person) order by id limit 3
), scratch_load.clock());
select campaigns.start_campaign(:tenant_id::uuid, :campaign_id::uuid, scratch_load.clock());
\endif
select scratch_load.assert_isolated(scratch_load.sender_of(:person), array_agg(distinct tenant_id))
from (
    (select tenant_id from campaigns.campaigns limit 20)
    union all (select tenant_id from campaigns.steps limit 20)
) as seen;
commit;
