-- What came of each mail of a campaign.
select
    s.position,
    count(*) filter (where e.kind = 'sent') as sent,
    count(distinct e.lead_id) filter (where e.kind = 'opened' and not e.automatic) as opened_by,
    count(*) filter (where e.kind = 'bounced') as bounced
from campaigns.steps s
left join campaigns.events e on e.tenant_id = s.tenant_id and e.campaign_id = s.campaign_id and e.step_id = s.id
where s.tenant_id = %(tenant)s and s.campaign_id = %(campaign)s and s.kind = 'action'
group by s.position
order by s.position
