-- campaigns.steps: a campaign has two to six steps, numbered from 1 without a gap, made before it started.
select c.tenant_id, c.id, count(s.id) as steps
from sample_campaigns as c
left join sample_steps as s on s.tenant_id = c.tenant_id and s.campaign_id = c.id
group by c.tenant_id, c.id, c.created_at, c.started_at
having count(s.id) not between 2 and 6
    or max(s.position) <> count(s.id)
    or min(s.created_at) < c.created_at
    or max(s.created_at) > c.started_at
