-- Five leads as another system knows them: four to update, and perhaps a new one.
\set person random(1, :leads)
\set fresh random(1, 1000000)
\startpipeline
select lab.enter_tenant(scratch_load.sender_of(:person));
select import.inserted, import.updated, import.refusal
from campaigns.import_leads(scratch_load.sender_of(:person), (
    select jsonb_agg(jsonb_build_object('email', l.email, 'custom_fields', jsonb_build_object('score', :fresh::integer)))
    from (
        select 'new' || :fresh || '@load.example' as email
        union all
        select near.email from (
            select email from campaigns.leads
            where tenant_id = scratch_load.sender_of(:person) and id >= scratch_load.lead(:person)
            order by id limit 4
        ) as near
    ) as l
), at => scratch_load.clock()) as import;
select scratch_load.assert_isolated(scratch_load.sender_of(:person), array_agg(distinct tenant_id))
from (select tenant_id from campaigns.leads limit 20) as seen;
\endpipeline
