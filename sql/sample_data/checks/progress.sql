-- campaigns.enrollments: an enrollment's position, status and next date follow from what was executed.
with executed as (
    select tenant_id, enrollment_id, max(position) as position, max(executed_at) as last
    from sample_executions
    group by tenant_id, enrollment_id
), steps as (
    select tenant_id, campaign_id, count(*) as steps
    from sample_steps
    group by tenant_id, campaign_id
)
select e.tenant_id, e.id, e.status, e.position, e.due_at
from made
cross join sample_enrollments as e
join sample_campaigns as c on c.tenant_id = e.tenant_id and c.id = e.campaign_id
join campaigns.leads as l on l.tenant_id = e.tenant_id and l.id = e.lead_id
join steps as n on n.tenant_id = e.tenant_id and n.campaign_id = e.campaign_id
left join executed as x on x.tenant_id = e.tenant_id and x.enrollment_id = e.id
left join sample_steps as next
    on next.tenant_id = e.tenant_id and next.campaign_id = e.campaign_id and next.position = e.position + 1
where e.position <> coalesce(x.position, 0)
   or e.status <> case when e.position = n.steps then 'completed'
                       when c.status = 'cancelled'
                         or l.status in ('replied', 'unsubscribed', 'bounced', 'complained') then 'stopped'
                       else 'active' end
   or e.due_at <> coalesce(x.last, e.created_at) + next.delay
   -- What was due is done, but for the last half hour.
   or (e.status = 'active' and c.status = 'running' and e.due_at < as_of - interval '30 minutes')
