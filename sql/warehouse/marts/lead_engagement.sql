-- What each lead was sent, what came back, and a score of how engaged it is.

-- name: keys
select tenant_id, id as lead_id from staging.leads;

-- name: touched_by_leads
select tenant_id, id as lead_id from delta_leads;

-- name: touched_by_enrollments
select tenant_id, lead_id from delta_enrollments;

-- name: touched_by_events
select tenant_id, lead_id from delta_events;

-- name: rows
with enrolled as (
    select
        tenant_id,
        lead_id,
        count(*) as campaigns,
        count(*) filter (status = 'active') as active_campaigns
    from staging.enrollments
    semi join scope using (tenant_id, lead_id)
    group by all
), mail as (
    select
        tenant_id,
        lead_id,
        count(*) filter (kind = 'sent') as sent,
        count(*) filter (kind = 'delivered') as delivered,
        count(*) filter (kind = 'opened' and not automatic) as opened,
        count(*) filter (kind = 'clicked' and not automatic) as clicked,
        count(*) filter (kind = 'replied' and not automatic) as replied,
        count(*) filter (kind = 'bounced') as bounced,
        count(*) filter (kind = 'complained') as complained,
        count(*) filter (kind = 'unsubscribed') as unsubscribed,
        min(occurred_at) filter (kind = 'sent') as first_sent_at,
        max(occurred_at) filter (kind = 'sent') as last_sent_at,
        min(occurred_at) filter (kind in ('opened', 'clicked', 'replied') and not automatic) as first_engaged_at,
        max(occurred_at) filter (kind in ('opened', 'clicked', 'replied') and not automatic) as last_engaged_at,
        min(occurred_at) filter (kind = 'replied' and not automatic) as first_replied_at
    from staging.events
    semi join scope using (tenant_id, lead_id)
    group by all
)
select
    lead.tenant_id,
    lead.id as lead_id,
    lead.status,
    lead.created_at,
    coalesce(enrolled.campaigns, 0) as campaigns,
    coalesce(enrolled.active_campaigns, 0) as active_campaigns,
    coalesce(mail.sent, 0) as sent,
    coalesce(mail.delivered, 0) as delivered,
    coalesce(mail.opened, 0) as opened,
    coalesce(mail.clicked, 0) as clicked,
    coalesce(mail.replied, 0) as replied,
    coalesce(mail.bounced, 0) as bounced,
    coalesce(mail.complained, 0) as complained,
    coalesce(mail.unsubscribed, 0) as unsubscribed,
    mail.first_sent_at,
    mail.last_sent_at,
    mail.first_engaged_at,
    mail.last_engaged_at,
    mail.first_replied_at,
    (epoch_us(mail.first_replied_at) - epoch_us(mail.first_sent_at)) / 3600e6 as hours_to_first_reply,
    date_diff('day', mail.last_engaged_at at time zone 'UTC', mail.last_sent_at at time zone 'UTC') as days_unanswered,
    case
        when mail.bounced + mail.complained + mail.unsubscribed > 0 then 0
        else least(coalesce(mail.opened, 0), 10) + 3 * least(coalesce(mail.clicked, 0), 10)
             + 20 * least(coalesce(mail.replied, 0), 3)
    end::integer as score
from staging.leads as lead
semi join scope on scope.tenant_id = lead.tenant_id and scope.lead_id = lead.id
left join enrolled on enrolled.tenant_id = lead.tenant_id and enrolled.lead_id = lead.id
left join mail on mail.tenant_id = lead.tenant_id and mail.lead_id = lead.id
order by lead.tenant_id, lead.id;

-- name: comments
comment on table marts.lead_engagement is 'What each lead was sent and what came back, over all campaigns and time. Opens, clicks and replies of machines are left out. Days since are the reader''s to count, as in current_date - last_engaged_at::date: nothing here changes by itself.';
comment on column marts.lead_engagement.tenant_id is 'The tenant.';  -- from leads.tenant_id
comment on column marts.lead_engagement.lead_id is 'The lead.';  -- from leads.id
comment on column marts.lead_engagement.status is 'Its status now.';  -- from leads.status
comment on column marts.lead_engagement.created_at is 'When it was added.';  -- from leads.created_at
comment on column marts.lead_engagement.campaigns is 'Campaigns it was ever enrolled in.';  -- from enrollments.lead_id
comment on column marts.lead_engagement.active_campaigns is 'Those it is under way in now.';  -- from enrollments.lead_id, enrollments.status
comment on column marts.lead_engagement.sent is 'Mails sent.';  -- from events.kind
comment on column marts.lead_engagement.delivered is 'Mails delivered.';  -- from events.kind
comment on column marts.lead_engagement.opened is 'Times a mail was opened.';  -- from events.kind, events.automatic
comment on column marts.lead_engagement.clicked is 'Times a link was clicked.';  -- from events.kind, events.automatic
comment on column marts.lead_engagement.replied is 'Replies.';  -- from events.kind, events.automatic
comment on column marts.lead_engagement.bounced is 'Mails that bounced.';  -- from events.kind
comment on column marts.lead_engagement.complained is 'Complaints of spam.';  -- from events.kind
comment on column marts.lead_engagement.unsubscribed is 'Unsubscriptions.';  -- from events.kind
comment on column marts.lead_engagement.first_sent_at is 'When the first mail was sent; null before.';  -- from events.occurred_at, events.kind
comment on column marts.lead_engagement.last_sent_at is 'When the last mail was sent.';  -- from events.occurred_at, events.kind
comment on column marts.lead_engagement.first_engaged_at is 'First opening, click or reply; null before.';  -- from events.occurred_at, events.kind, events.automatic
comment on column marts.lead_engagement.last_engaged_at is 'Last opening, click or reply.';  -- from events.occurred_at, events.kind, events.automatic
comment on column marts.lead_engagement.first_replied_at is 'First reply; null before.';  -- from events.occurred_at, events.kind, events.automatic
comment on column marts.lead_engagement.hours_to_first_reply is 'Hours from the first mail to the first reply; null without one.';  -- from events.occurred_at, events.kind, events.automatic
comment on column marts.lead_engagement.days_unanswered is 'Days (UTC) from the last engagement to the last mail, which is how long it has been written to in vain; negative when it answered since, null when it never did.';  -- from events.occurred_at, events.kind, events.automatic
comment on column marts.lead_engagement.score is '0 to 100: 1 for an opening (10 count), 3 for a click (10 count), 20 for a reply (3 count); 0 once it bounced, complained or unsubscribed.';  -- from events.kind, events.automatic
