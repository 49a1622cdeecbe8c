-- The campaigns that this workload writes to, one a tenant, marked with the run; as lab_platform.

-- name: campaigns
-- Paused: what is sent belongs to no report of running campaigns.
with created as (
    insert into campaigns.campaigns (tenant_id, name, status, external_id)
    select tenant_id, 'Load run', 'paused', 'load:' || %(run_id)s
    from scratch_load.tenants
    returning tenant_id, id
), first_steps as (
    insert into campaigns.steps (tenant_id, campaign_id, position)
    select tenant_id, id, 1
    from created
    returning tenant_id, campaign_id, id
)
update scratch_load.tenants
set campaign_id = s.campaign_id, step_id = s.id
from first_steps s
where s.tenant_id = tenants.tenant_id;

-- name: enrollments
with enrolled as (
    insert into campaigns.enrollments (tenant_id, campaign_id, lead_id, step_id, due_at)
    select distinct on (t.tenant_id, g.lead_id) t.tenant_id, t.campaign_id, g.lead_id, t.step_id, now()
    from scratch_load.tenants t
    join scratch_load.targets g using (tenant)
    returning tenant_id, lead_id, id
)
update scratch_load.targets
set enrollment_id = e.id
from enrolled e
join scratch_load.tenants t on t.tenant_id = e.tenant_id
where targets.tenant = t.tenant and targets.lead_id = e.lead_id;
