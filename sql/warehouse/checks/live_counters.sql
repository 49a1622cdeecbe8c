-- Real time, batch and what happened: three ways to count the events of a campaign.

-- name: live
-- What the OLTP counts as it goes, and what it takes for the last minutes.
select tenant_id, campaign_id, kind, total, forgotten, last_15_minutes,
       now() - interval '15 minutes' as since, lab.first_uuid_of(now() - interval '16 minutes')::text as first_id
from campaigns.live_metrics;

-- name: differences
-- As sentences. A load run's campaign that nothing ever counted is passed over: its events are written
-- without the application's operations.
with live as (
    from postgres_query('oltp', ?)
), clock as (
    select max(since) as since, max(first_id)::uuid as first_id from live
), events as (
    select
        tenant_id, campaign_id, kind, count(*) as total,
        count(*) filter (id >= first_id and occurred_at > since) as last_15_minutes
    from staging.events, clock
    group by all
), daily as (
    select tenant_id, campaign_id, kind, sum(total)::bigint as total
    from (
        unpivot marts.campaign_daily
        on sent, delivered, opened, clicked, replied, bounced, complained, unsubscribed
        into name kind value total
    )
    where total > 0
    group by all
), compared as (
    select
        tenant_id, campaign_id, kind,
        coalesce(live.total - live.forgotten, 0) as counted,
        coalesce(events.total, 0) as happened,
        coalesce(daily.total, 0) as told,
        coalesce(live.last_15_minutes, 0) as counted_lately,
        coalesce(events.last_15_minutes, 0) as happened_lately,
        coalesce(live.total, 0) = 0 as uncounted
    from live
    full join events using (tenant_id, campaign_id, kind)
    full join daily using (tenant_id, campaign_id, kind)
)
select format(
    'tenant {} campaign {}: {} {} by the live counters ({} in the last 15 minutes), {} in staging.events ({}), {} in campaign_daily',
    c.tenant_id, c.campaign_id, counted, kind, counted_lately, happened, happened_lately, told)
from compared as c
left join staging.campaigns as campaign on campaign.tenant_id = c.tenant_id and campaign.id = c.campaign_id
where (counted <> happened or happened <> told or counted_lately <> happened_lately)
  and not (uncounted and happened = told and coalesce(starts_with(campaign.external_id, 'load:'), false))
order by c.tenant_id, c.campaign_id, kind;
