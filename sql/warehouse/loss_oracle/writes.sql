-- What the writers of the loss oracle do, as lab_platform. Every value of a row is a number, so that
-- who holds a row can be asked which version of it he has.

-- name: begin
begin;
set local lock_timeout = '5s';

-- name: durability
-- Of this transaction; returns its id, which it has from its first moment on.
select set_config('synchronous_commit', %(synchronous_commit)s, true), pg_current_xact_id()::text::bigint;

-- name: found
-- A tenant with a campaign whose first mail a lead is to be sent.
with tenant as (
    insert into public.tenants (id, name) values (%(tenant)s, %(value)s)
), campaign as (
    insert into campaigns.campaigns (tenant_id, id, name, status)
    values (%(tenant)s, %(campaign)s, %(value)s, 'running')
), step as (
    insert into campaigns.steps (tenant_id, id, campaign_id, position)
    values (%(tenant)s, %(step)s, %(campaign)s, 1)
), lead as (
    insert into campaigns.leads (tenant_id, id, email, first_name)
    values (%(tenant)s, %(lead)s, %(lead)s || '@one.example', %(value)s)
)
insert into campaigns.enrollments (tenant_id, campaign_id, lead_id, step_id, due_at)
values (%(tenant)s, %(campaign)s, %(lead)s, %(step)s, now());

-- name: insert_leads
insert into campaigns.leads (tenant_id, id, email, first_name)
values (%(tenant)s, %(id)s, %(id)s::uuid || '@one.example', %(value)s);

-- name: update_leads
update campaigns.leads set first_name = %(value)s, updated_at = now()
where tenant_id = %(tenant)s and id = %(id)s;

-- name: delete_leads
delete from campaigns.leads where tenant_id = %(tenant)s and id = %(id)s;

-- name: insert_campaigns
insert into campaigns.campaigns (tenant_id, id, name) values (%(tenant)s, %(id)s, %(value)s);

-- name: update_campaigns
update campaigns.campaigns set name = %(value)s, updated_at = now()
where tenant_id = %(tenant)s and id = %(id)s;

-- name: delete_campaigns
delete from campaigns.campaigns where tenant_id = %(tenant)s and id = %(id)s;

-- name: insert_events
insert into campaigns.events (tenant_id, id, campaign_id, lead_id, step_id, kind, occurred_at)
values (%(tenant)s, %(id)s, %(campaign)s, %(lead)s, %(step)s, 'sent', to_timestamp(%(value)s::bigint));

-- name: update_events
update campaigns.events set occurred_at = to_timestamp(%(value)s::bigint)
where tenant_id = %(tenant)s and id = %(id)s;

-- name: delete_events
delete from campaigns.events where tenant_id = %(tenant)s and id = %(id)s;

-- name: close
select tenancy.delete_tenant(id) from public.tenants where id = %(tenant)s and status <> 'deleted';

-- name: purge
select finished from tenancy.purge_tenant(%(tenant)s, %(batch)s);
