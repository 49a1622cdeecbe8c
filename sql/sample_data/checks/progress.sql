-- campaigns.enrollments: where an enrollment stands, its status and when it is due follow from what was executed.
with executed as (
    select distinct on (tenant_id, enrollment_id) tenant_id, enrollment_id, step_id, branch, executed_at
    from sample_executions
    order by tenant_id, enrollment_id, executed_at desc, position desc
), stands as (
    select e.*, c.status as campaign_status, l.status as lead_status, x.executed_at, coalesce(next.id, x.step_id) as stands_at,
           next.id is null as is_over, coalesce(x.executed_at, e.created_at) + next.delay as due
    from sample_enrollments as e
    join sample_campaigns as c on c.tenant_id = e.tenant_id and c.id = e.campaign_id
    join campaigns.leads as l on l.tenant_id = e.tenant_id and l.id = e.lead_id
    left join executed as x on x.tenant_id = e.tenant_id and x.enrollment_id = e.id
    left join sample_steps as next
        on next.tenant_id = e.tenant_id and next.campaign_id = e.campaign_id
       and (x.step_id is null and next.parent_id is null or next.parent_id = x.step_id and next.branch = x.branch)
)
select tenant_id, id, status, step_id, stands_at, due_at, due, deferred_for
from made, stands
where step_id is distinct from stands_at
   or status <> case when is_over then 'completed'
                     when campaign_status in ('cancelled', 'finished')
                       or lead_status in ('replied', 'unsubscribed', 'bounced', 'complained') then 'stopped'
                     else 'active' end
   or stop_reason is distinct from case when status <> 'stopped' then null
                     when lead_status in ('replied', 'unsubscribed', 'bounced', 'complained') then lead_status
                     else campaign_status end
   or case deferred_for
          when 'campaign_not_running'
          then campaign_status <> 'paused' or due_at <> 'infinity' or deferred_since <> due or due > as_of
          -- What was put off comes up within the hour, and was not due for longer than three days.
          else due_at not between case when deferred_for is null then due else as_of end
                          and case when deferred_for is null then due else as_of + interval '1 hour' end
            or deferred_since <> due or deferred_since < as_of - interval '3 days 30 minutes'
          end
   -- What was due is done, but for the last half hour.
   or (status = 'active' and campaign_status = 'running' and due_at < as_of - interval '30 minutes')
   or (status = 'active' and campaign_status = 'paused' and due_at <= as_of)
