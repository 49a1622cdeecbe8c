-- What a load run leaves: rows beneath a campaign of its own, which break every rule of the sample data.
with lead as (
    select tenant_id, id from campaigns.leads where status = 'unsubscribed' order by id limit 1
), campaign as (
    insert into campaigns.campaigns (tenant_id, name, external_id)
    select tenant_id, 'load', 'load:run' from lead
    returning tenant_id, id
), step as (
    insert into campaigns.steps (tenant_id, campaign_id, position)
    select tenant_id, id, 7 from campaign
    returning tenant_id, campaign_id, id
), enrollment as (
    insert into campaigns.enrollments (tenant_id, campaign_id, lead_id, step_id, due_at)
    select step.tenant_id, campaign_id, lead.id, step.id, now() from step, lead
    returning tenant_id, campaign_id, lead_id, id
), execution as (
    insert into campaigns.step_executions (tenant_id, enrollment_id, step_id, status, due_at)
    select enrollment.tenant_id, enrollment.id, step.id, 'sent', now() from enrollment, step
    returning id
)
insert into campaigns.events (tenant_id, campaign_id, lead_id, step_id, kind)
select enrollment.tenant_id, enrollment.campaign_id, lead_id, step.id, 'sent' from enrollment, step;
