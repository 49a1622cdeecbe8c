-- campaigns.step_executions: steps are executed from the first along the branches that were taken, each after its delay, once.
select x.tenant_id, x.id, s.position, x.due_at, x.executed_at, earlier.executed_at as executed_before
from sample_executions as x
join sample_steps as s on s.tenant_id = x.tenant_id and s.id = x.step_id
left join sample_enrollments as e
    on e.tenant_id = x.tenant_id and e.id = x.enrollment_id and e.campaign_id = x.campaign_id
left join sample_executions as earlier
    on earlier.tenant_id = x.tenant_id and earlier.enrollment_id = x.enrollment_id
    and earlier.step_id = s.parent_id and earlier.branch = s.branch
where e.id is null
   or x.rotation <> 1
   or (s.parent_id is not null) <> (earlier.id is not null)
   or x.due_at <> coalesce(earlier.executed_at, e.created_at) + s.delay
   or x.executed_at < x.due_at
   or (s.kind = 'action') <> (x.status in ('sent', 'skipped'))
   or (s.kind = 'condition') <> (x.branch in ('yes', 'no'))
