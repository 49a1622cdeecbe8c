-- campaigns.step_executions: each execution that sent has one sent event at that moment, and no other sent event exists.
with both_sides as (
    select x.tenant_id, e.campaign_id, e.lead_id, x.step_id, x.executed_at as at, 1 as executions, 0 as events
    from sample_executions as x
    join sample_enrollments as e on e.tenant_id = x.tenant_id and e.id = x.enrollment_id
    where x.status = 'sent'
    union all
    select tenant_id, campaign_id, lead_id, step_id, occurred_at, 0, 1
    from sample_events
    where kind = 'sent'
)
select tenant_id, campaign_id, lead_id, step_id, at, sum(executions) as executions, sum(events) as events
from both_sides
group by tenant_id, campaign_id, lead_id, step_id, at
having sum(executions) <> 1 or sum(events) <> 1
