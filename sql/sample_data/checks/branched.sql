-- campaigns.step_executions: a condition went the way that its questions had by then.
with answers as (
    select x.tenant_id, x.id, x.branch, bool_and(q.negated <> exists (
               select from sample_events as v
               where v.tenant_id = x.tenant_id and v.campaign_id = x.campaign_id and v.lead_id = e.lead_id
                 and v.kind = q.event_kind and not v.automatic and v.occurred_at <= x.executed_at
                 and (q.within_days is null or v.occurred_at > x.executed_at - make_interval(days => q.within_days)))) as holds
    from sample_executions as x
    join sample_enrollments as e on e.tenant_id = x.tenant_id and e.id = x.enrollment_id
    join campaigns.step_conditions as q on q.tenant_id = x.tenant_id and q.step_id = x.step_id
    group by x.tenant_id, x.id, x.branch
)
select * from answers where branch <> case when holds then 'yes' else 'no' end
