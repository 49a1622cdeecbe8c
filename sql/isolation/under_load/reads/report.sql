-- A join and an aggregate over two campaigns, of which one is the tenant's.
select c.tenant_id, count(*) as enrolled, max(l.created_at) as latest
from campaigns.campaigns c
join campaigns.enrollments e on e.campaign_id = c.id
join campaigns.leads l on l.id = e.lead_id
where c.id in (%(campaign)s, %(other_campaign)s)
group by c.tenant_id
