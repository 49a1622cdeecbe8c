-- What each campaign sent on a day (UTC), and what came back that day.

-- name: keys
select tenant_id, campaign_id, (occurred_at at time zone 'UTC')::date as day from staging.events;

-- name: touched_by_events
select tenant_id, campaign_id, (occurred_at at time zone 'UTC')::date as day from delta_events;

-- name: touched_by_campaigns
-- Those that have another name now; most changes of a campaign are of no concern here.
select mart.tenant_id, mart.campaign_id, mart.day
from marts.campaign_daily as mart
semi join delta_campaigns as delta on delta.tenant_id = mart.tenant_id and delta.id = mart.campaign_id
left join staging.campaigns as campaign on campaign.tenant_id = mart.tenant_id and campaign.id = mart.campaign_id
where campaign.name is distinct from mart.campaign_name;

-- name: rows
with event as (
    select tenant_id, campaign_id, (occurred_at at time zone 'UTC')::date as day, kind
    from staging.events
    semi join scope using (tenant_id, campaign_id)  -- the day of few rows only: it is what costs most
), daily as (
    select
        tenant_id,
        campaign_id,
        day,
        count(*) filter (kind = 'sent') as sent,
        count(*) filter (kind = 'delivered') as delivered,
        count(*) filter (kind = 'opened') as opened,
        count(*) filter (kind = 'clicked') as clicked,
        count(*) filter (kind = 'replied') as replied,
        count(*) filter (kind = 'bounced') as bounced,
        count(*) filter (kind = 'complained') as complained,
        count(*) filter (kind = 'unsubscribed') as unsubscribed
    from event
    semi join scope using (tenant_id, campaign_id, day)
    group by all
)
select
    daily.tenant_id,
    daily.campaign_id,
    campaign.name as campaign_name,
    daily.day,
    daily.sent,
    daily.delivered,
    daily.opened,
    daily.clicked,
    daily.replied,
    daily.bounced,
    daily.complained,
    daily.unsubscribed,
    daily.delivered / nullif(daily.sent, 0) as delivery_rate,
    daily.opened / nullif(daily.delivered, 0) as open_rate,
    daily.clicked / nullif(daily.delivered, 0) as click_rate,
    daily.replied / nullif(daily.delivered, 0) as reply_rate,
    daily.bounced / nullif(daily.sent, 0) as bounce_rate,
    daily.complained / nullif(daily.delivered, 0) as complaint_rate,
    daily.unsubscribed / nullif(daily.delivered, 0) as unsubscribe_rate
from daily
left join staging.campaigns as campaign
    on campaign.tenant_id = daily.tenant_id and campaign.id = daily.campaign_id
order by daily.tenant_id, daily.campaign_id, daily.day;

-- name: comments
comment on table marts.campaign_daily is 'What each campaign sent on a day (UTC), and what came back that day. A day without events has no row.';
comment on column marts.campaign_daily.tenant_id is 'The tenant.';  -- from events.tenant_id
comment on column marts.campaign_daily.campaign_id is 'The campaign.';  -- from events.campaign_id
comment on column marts.campaign_daily.campaign_name is 'Name of the campaign now.';  -- from campaigns.name
comment on column marts.campaign_daily.day is 'Day of the events, in UTC.';  -- from events.occurred_at
comment on column marts.campaign_daily.sent is 'Mails sent.';  -- from events.kind
comment on column marts.campaign_daily.delivered is 'Mails delivered.';  -- from events.kind
comment on column marts.campaign_daily.opened is 'Times a mail was opened.';  -- from events.kind
comment on column marts.campaign_daily.clicked is 'Times a link was clicked.';  -- from events.kind
comment on column marts.campaign_daily.replied is 'Replies.';  -- from events.kind
comment on column marts.campaign_daily.bounced is 'Mails that bounced.';  -- from events.kind
comment on column marts.campaign_daily.complained is 'Complaints of spam.';  -- from events.kind
comment on column marts.campaign_daily.unsubscribed is 'Unsubscriptions.';  -- from events.kind
comment on column marts.campaign_daily.delivery_rate is 'Delivered per sent; null when nothing was sent that day.';  -- from events.kind
comment on column marts.campaign_daily.open_rate is 'Opened per delivered of the same day: what is opened later can lift it above 1; null when nothing was delivered.';  -- from events.kind
comment on column marts.campaign_daily.click_rate is 'Clicked per delivered of the same day; null when nothing was delivered.';  -- from events.kind
comment on column marts.campaign_daily.reply_rate is 'Replied per delivered of the same day; null when nothing was delivered.';  -- from events.kind
comment on column marts.campaign_daily.bounce_rate is 'Bounced per sent of the same day; null when nothing was sent.';  -- from events.kind
comment on column marts.campaign_daily.complaint_rate is 'Complaints per delivered of the same day; null when nothing was delivered.';  -- from events.kind
comment on column marts.campaign_daily.unsubscribe_rate is 'Unsubscriptions per delivered of the same day; null when nothing was delivered.';  -- from events.kind
