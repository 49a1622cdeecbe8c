-- What isolation under load asks beside the statements in reads/, writes/, failures/ and controls/.

-- name: first_events
-- So that a tenant has an event to see before it writes one; as lab_platform.
insert into campaigns.events (tenant_id, campaign_id, lead_id, step_id, kind, occurred_at)
select t.tenant_id, t.campaign_id, g.lead_id, t.step_id, 'sent', now()
from scratch_load.tenants t
join scratch_load.targets g on g.tenant = t.tenant and g.target = 1;

-- name: tenants
-- By size: the tenant, its members, its campaign of the run's own, and a lead with its enrollment there
-- a target; as lab_platform.
select
    t.tenant_id, t.campaign_id, t.step_id,
    array(
        select user_id from users.tenant_users
        where tenant_id = t.tenant_id and deleted is null
        order by created, user_id
        limit %(users)s
    ) as users,
    array(select lead_id from scratch_load.targets where tenant = t.tenant order by target) as leads,
    array(select enrollment_id from scratch_load.targets where tenant = t.tenant order by target)
        as enrollments
from scratch_load.tenants t
order by t.tenant;

-- name: enter
-- The time limit ends what waits for a lock too long.
select lab.enter_tenant(%(tenant)s, %(acting_user)s), set_config('statement_timeout', '10s', true);

-- name: hurry
select set_config('statement_timeout', %s, true);

-- name: asserted
-- Whose rows a statement returned, and who is in context.
with stated as (
    {statement}
)
select coalesce(array_agg(distinct tenant_id), '{{}}'), lab.current_tenant(), lab.current_user_id()
from stated;

-- name: forget
-- What a control has set.
reset all;

-- name: sessions
-- The arm's; as the administrator, since the application may not look at sessions.
select pid from pg_stat_activity where application_name = %(mark)s and datname = current_database();

-- name: cancel
-- A role may strike at its own sessions.
select pg_cancel_backend(%(pid)s);

-- name: terminate
select pg_terminate_backend(%(pid)s);
