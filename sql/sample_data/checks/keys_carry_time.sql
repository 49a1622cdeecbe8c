-- campaigns.events: keys are uuid v7 of their row's time.
with keys (table_name, id, at) as (
    select 'tenants', id, created at time zone 'UTC' from public.tenants
    union all
    select 'users', id, created at time zone 'UTC' from users.users
    union all
    select 'campaigns', id, created_at from sample_campaigns
    union all
    select 'steps', id, created_at from sample_steps
    union all
    select 'leads', id, created_at from campaigns.leads
    union all
    select 'enrollments', id, created_at from sample_enrollments
    union all
    select 'step_executions', id, executed_at from sample_executions
    union all
    select 'events', id, occurred_at from sample_events
)
select *
from keys
where left(id::text, 15) <> overlay('0' || to_hex(round(date_part('epoch', at) * 1000)::bigint) placing '-' from 9 for 0)
                            || '-7'
   or substr(id::text, 20, 1) not in ('8', '9', 'a', 'b')
