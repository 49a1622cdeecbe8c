-- How far people came in each campaign, step by step of its tree, and what each step's mail brought.

-- name: keys
select tenant_id, id as campaign_id from staging.campaigns;

-- name: touched_by_campaigns
-- New ones, and those that have another name now; most changes of a campaign are of no concern here.
select delta.tenant_id, delta.id as campaign_id
from delta_campaigns as delta
left join staging.campaigns as campaign using (tenant_id, id)
left join marts.campaign_funnel as mart on mart.tenant_id = delta.tenant_id and mart.campaign_id = delta.id
where campaign.name is distinct from mart.campaign_name;

-- name: touched_by_steps
select tenant_id, campaign_id from delta_steps;

-- name: touched_by_enrollments
select tenant_id, campaign_id from delta_enrollments
union all
select step.tenant_id, step.campaign_id
from delta_enrollments as delta
join staging.steps as step on step.tenant_id = delta.tenant_id and step.id = delta.step_id;

-- name: touched_by_step_executions
select step.tenant_id, step.campaign_id
from delta_step_executions as delta
join staging.steps as step on step.tenant_id = delta.tenant_id and step.id = delta.step_id;

-- name: touched_by_events
select tenant_id, campaign_id from delta_events;

-- name: rows
with step as (
    from staging.steps semi join scope using (tenant_id, campaign_id)
), arrival as (
    select tenant_id, step_id, enrollment_id, status, branch
    from staging.step_executions
    semi join step on step.tenant_id = step_executions.tenant_id and step.id = step_executions.step_id
    union all
    select tenant_id, step_id, id, 'waiting', null
    from staging.enrollments
    semi join step on step.tenant_id = enrollments.tenant_id and step.id = enrollments.step_id
    where status = 'active'
), traveller as (
    select
        tenant_id,
        step_id,
        enrollment_id,
        count(*) filter (status in ('sent', 'passed')) as executed,
        count(*) filter (status = 'skipped') as skipped,
        count(*) filter (status = 'waiting') as waiting,
        count(*) filter (branch = 'yes') as took_yes,
        count(*) filter (branch = 'no') as took_no
    from arrival
    group by all
), passage as (
    select
        tenant_id,
        step_id,
        count(*) as entered,
        count(*) filter (executed > 0) as completed,
        sum(executed)::bigint as executed,
        sum(skipped)::bigint as skipped,
        sum(waiting)::bigint as waiting,
        sum(took_yes)::bigint as took_yes,
        sum(took_no)::bigint as took_no
    from traveller
    group by all
), person as (
    select
        tenant_id,
        campaign_id,
        step_id,
        lead_id,
        count(*) filter (kind = 'sent') as sent,
        count(*) filter (kind = 'bounced') as bounced,
        bool_or(kind = 'opened' and not automatic) as opened,
        bool_or(kind = 'clicked' and not automatic) as clicked,
        min(occurred_at) filter (kind = 'sent') as sent_at,
        min(occurred_at) filter (kind = 'replied' and not automatic) as replied_at,
        bool_or(kind = 'unsubscribed') as unsubscribed
    from staging.events
    semi join scope using (tenant_id, campaign_id)
    group by all
), mail as (
    select
        tenant_id,
        campaign_id,
        step_id,
        sum(sent)::bigint as sent,
        sum(bounced)::bigint as bounced,
        count(*) filter (sent > 0) as mailed,
        count(*) filter (opened) as opened,
        count(*) filter (clicked) as clicked,
        count(replied_at) as replied,
        count(*) filter (unsubscribed) as unsubscribed,
        quantile_cont(epoch_us(replied_at) - epoch_us(sent_at), [0.5, 0.9]) filter (replied_at >= sent_at) as reply_us
    from person
    group by all
)
select
    step.tenant_id,
    step.campaign_id,
    campaign.name as campaign_name,
    step.id as step_id,
    step.position,
    step.kind,
    step.parent_id as parent_step_id,
    step.branch,
    coalesce(passage.entered, 0) as entered,
    coalesce(passage.waiting, 0) as waiting,
    coalesce(passage.executed, 0) as executed,
    coalesce(passage.skipped, 0) as skipped,
    coalesce(passage.took_yes, 0) as took_yes,
    coalesce(passage.took_no, 0) as took_no,
    coalesce(mail.sent, 0) as sent,
    coalesce(mail.mailed, 0) as mailed,
    coalesce(mail.bounced, 0) as bounced,
    coalesce(mail.opened, 0) as opened,
    coalesce(mail.clicked, 0) as clicked,
    coalesce(mail.replied, 0) as replied,
    coalesce(mail.unsubscribed, 0) as unsubscribed,
    passage.completed / passage.entered as completion_rate,
    mail.opened / nullif(mail.mailed, 0) as open_rate,
    mail.clicked / nullif(mail.mailed, 0) as click_rate,
    mail.replied / nullif(mail.mailed, 0) as conversion_rate,
    mail.reply_us[1] / 3600e6 as hours_to_reply_p50,
    mail.reply_us[2] / 3600e6 as hours_to_reply_p90
from step
left join staging.campaigns as campaign
    on campaign.tenant_id = step.tenant_id and campaign.id = step.campaign_id
left join passage on passage.tenant_id = step.tenant_id and passage.step_id = step.id
left join mail
    on mail.tenant_id = step.tenant_id and mail.campaign_id = step.campaign_id and mail.step_id = step.id
order by step.tenant_id, step.campaign_id, step.position;

-- name: comments
comment on table marts.campaign_funnel is 'How far people came in each campaign, a row for each step of its tree, and what the step''s mail brought, over all time. People are counted once, in however many passes they came by; opens, clicks and replies of machines are left out.';
comment on column marts.campaign_funnel.tenant_id is 'The tenant.';  -- from steps.tenant_id
comment on column marts.campaign_funnel.campaign_id is 'The campaign.';  -- from steps.campaign_id
comment on column marts.campaign_funnel.campaign_name is 'Name of the campaign now.';  -- from campaigns.name
comment on column marts.campaign_funnel.step_id is 'The step.';  -- from steps.id
comment on column marts.campaign_funnel.position is 'Its place in the order in which people read the tree, from 1.';  -- from steps.position
comment on column marts.campaign_funnel.kind is 'action (sends a mail), condition (branches) or wait.';  -- from steps.kind
comment on column marts.campaign_funnel.parent_step_id is 'The step before it; null for the first.';  -- from steps.parent_id
comment on column marts.campaign_funnel.branch is 'Where it hangs on its parent: next, or yes or no of a condition.';  -- from steps.branch
comment on column marts.campaign_funnel.entered is 'People who came as far as this step: it was executed or skipped for them, or they wait at it.';  -- from step_executions.enrollment_id, enrollments.step_id
comment on column marts.campaign_funnel.waiting is 'People who wait at it now.';  -- from enrollments.step_id, enrollments.status
comment on column marts.campaign_funnel.executed is 'Times it was executed: a mail sent, a wait or condition passed.';  -- from step_executions.status
comment on column marts.campaign_funnel.skipped is 'Times it was skipped.';  -- from step_executions.status
comment on column marts.campaign_funnel.took_yes is 'Times a condition held.';  -- from step_executions.branch
comment on column marts.campaign_funnel.took_no is 'Times a condition did not hold.';  -- from step_executions.branch
comment on column marts.campaign_funnel.sent is 'Mails sent.';  -- from events.kind
comment on column marts.campaign_funnel.mailed is 'People whom its mail was sent to.';  -- from events.kind, events.lead_id
comment on column marts.campaign_funnel.bounced is 'Mails that bounced.';  -- from events.kind
comment on column marts.campaign_funnel.opened is 'People who opened its mail.';  -- from events.kind, events.automatic, events.lead_id
comment on column marts.campaign_funnel.clicked is 'People who clicked in its mail.';  -- from events.kind, events.automatic, events.lead_id
comment on column marts.campaign_funnel.replied is 'People who replied to its mail: those it converted.';  -- from events.kind, events.automatic, events.lead_id
comment on column marts.campaign_funnel.unsubscribed is 'People who unsubscribed on its mail.';  -- from events.kind, events.lead_id
comment on column marts.campaign_funnel.completion_rate is 'Of those who entered, how many it was executed for; null when nobody has.';  -- from step_executions.status, step_executions.enrollment_id, enrollments.step_id
comment on column marts.campaign_funnel.open_rate is 'Opened per mailed; null when nobody was.';  -- from events.kind, events.automatic, events.lead_id
comment on column marts.campaign_funnel.click_rate is 'Clicked per mailed; null when nobody was.';  -- from events.kind, events.automatic, events.lead_id
comment on column marts.campaign_funnel.conversion_rate is 'Replied per mailed; null when nobody was.';  -- from events.kind, events.automatic, events.lead_id
comment on column marts.campaign_funnel.hours_to_reply_p50 is 'Median hours from a person''s first mail of this step to the first reply to it; null without one.';  -- from events.occurred_at, events.kind, events.automatic
comment on column marts.campaign_funnel.hours_to_reply_p90 is 'Likewise, within which nine of ten replied.';  -- from events.occurred_at, events.kind, events.automatic
