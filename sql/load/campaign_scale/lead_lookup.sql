-- A lead by its address, with what it was sent and did last.
\set person random(1, :leads)
\startpipeline
select lab.enter_tenant(scratch_load.sender_of(:person));
select l.id, l.email, l.first_name, l.last_name, l.status, l.custom_fields, e.status as enrolled, e.step_id, h.history
from campaigns.leads l
left join campaigns.enrollments e on e.tenant_id = l.tenant_id and e.lead_id = l.id
cross join lateral (
    select array_agg(v.kind || ' ' || v.occurred_at order by v.occurred_at desc) as history
    from (
        select kind, occurred_at from campaigns.events
        where tenant_id = l.tenant_id and lead_id = l.id
        order by occurred_at desc limit 10
    ) as v
) as h
where l.tenant_id = scratch_load.sender_of(:person) and l.email_norm = 'lead' || :person || '@load.example';
select scratch_load.assert_isolated(scratch_load.sender_of(:person), array_agg(distinct tenant_id))
from (
    (select tenant_id from campaigns.leads limit 20)
    union all (select tenant_id from campaigns.enrollments limit 20)
    union all (select tenant_id from campaigns.events limit 20)
) as seen;
\endpipeline
