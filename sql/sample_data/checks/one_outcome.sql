-- campaigns.events: a mail was sent, then delivered or bounced and not both; what else became of it came after its delivery, a click after an open.
with mails as (
    select tenant_id, campaign_id, lead_id, step_id,
           max(occurred_at) filter (where kind = 'sent') as sent,
           max(occurred_at) filter (where kind = 'delivered') as delivered,
           max(occurred_at) filter (where kind = 'bounced') as bounced,
           max(occurred_at) filter (where kind = 'opened') as opened,
           max(occurred_at) filter (where kind = 'clicked') as clicked,
           min(occurred_at) filter (
               where kind in ('opened', 'clicked', 'replied', 'complained', 'unsubscribed')) as reaction,
           count(*) as events, count(distinct kind) as kinds
    from sample_events
    group by tenant_id, campaign_id, lead_id, step_id
)
select *
from mails
where sent is null
   or num_nonnulls(delivered, bounced) <> 1
   or coalesce(delivered, bounced) <= sent
   or (reaction is not null and (delivered is null or reaction <= delivered))
   or (clicked is not null and (opened is null or clicked <= opened))
   or events <> kinds
