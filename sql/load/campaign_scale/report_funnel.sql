-- What came of each mail of a campaign: people, rates, and how long the first opening took.
\set campaign random(1, :campaigns)
\startpipeline
select lab.enter_tenant(scratch_load.tenant_of(:campaign));
select
    s.position,
    count(*) filter (where e.kind = 'sent') as sent,
    count(distinct e.lead_id) filter (where e.kind = 'opened' and not e.automatic) as opened_by,
    count(distinct e.lead_id) filter (where e.kind = 'clicked' and not e.automatic) as clicked_by,
    count(distinct e.lead_id) filter (where e.kind = 'replied' and not e.automatic) as replied_by,
    count(*) filter (where e.kind = 'bounced') as bounced,
    min(e.occurred_at) filter (where e.kind = 'opened') - min(e.occurred_at) filter (where e.kind = 'sent') as first_opening
from campaigns.steps s
left join campaigns.events e on e.tenant_id = s.tenant_id and e.campaign_id = s.campaign_id and e.step_id = s.id
where s.tenant_id = scratch_load.tenant_of(:campaign) and s.campaign_id = scratch_load.campaign_id(:campaign)
    and s.kind = 'action'
group by s.position
order by s.position;
select scratch_load.assert_isolated(scratch_load.tenant_of(:campaign), array_agg(distinct tenant_id))
from (select tenant_id from campaigns.events limit 20) as seen;
\endpipeline
