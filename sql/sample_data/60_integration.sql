-- What members want to hear of, and what they were told in the last 90 days, which is as long as it is
-- kept.

insert into integration.notification_preferences (tenant_id, user_id, kind, channel, enabled, updated_at)
select u.tenant_id, u.id, k.key, c.channel, not c.channel = any (k.default_channels),
       pg_temp.at(joined + ((coalesce(u.removed, u.until) - joined) * pg_temp.share(h))::bigint)
from scale
cross join plan_users as u
cross join integration.notification_kinds as k
cross join unnest('{in_app,email}'::text[]) as c (channel)
cross join lateral (select pg_temp.draw(k.key || ' ' || c.channel, u.n, seed) as h,
                           greatest(u.created, u.tenant_created) as joined) as drawn
where (h >> 40 & 1023) < 24
order by u.n, k.key, c.channel;

-- The owner is told of campaigns, of who joins, and on Mondays of the week.
create temp table plan_notifications on commit drop as
with told as (
    select t.id as tenant_id, rank, status_event.kind, n::bigint as about, status_event.at, until
    from plan_campaigns
    join plan_tenants as t using (rank)
    cross join lateral (values ('campaign.started', started), ('campaign.finished', finished),
                               ('campaign.auto_paused', case plan_campaigns.status when 'paused' then stopped end)
                       ) as status_event (kind, at)
    union all
    select tenant_id, rank, 'member.joined', n, greatest(created, tenant_created), until
    from plan_users where not is_owner
    union all
    select id, rank, 'digest', week, week * pg_temp.days(7) + pg_temp.days(4) + 25200000, until
    from scale, plan_tenants, generate_series((as_of - pg_temp.days(90)) / pg_temp.days(7), as_of / pg_temp.days(7)) as week
    where running_count > 0
), sent as (
    select t.*, k.key || ' ' || about || ' ' || c.channel as what, k.default_channels, c.channel,
           owner.id as user_id, pg_temp.draw(k.key || ' ' || c.channel, about, seed + t.rank) as h
    from scale
    cross join told as t
    join plan_users as owner on owner.n = t.rank
    join integration.notification_kinds as k on k.key = t.kind
    cross join unnest('{in_app,email}'::text[]) as c (channel)
    left join integration.notification_preferences as p
        on p.tenant_id = t.tenant_id and p.user_id = owner.id and p.kind = t.kind and p.channel = c.channel
       and p.updated_at <= pg_temp.at(t.at)
    where t.at > scale.as_of - pg_temp.days(90) and t.at > owner.tenant_created and t.at < t.until - 1000
      and coalesce(p.enabled, c.channel = any (k.default_channels))
      and configuration.policy_allows(t.tenant_id, 'notification_channels', c.channel)
), fates as (
    -- One in a hundred never arrives, and three arrive late. Receivers refuse a third in the last day and
    -- a half, which is still being tried.
    select *, at + 500 + (h & 65535) / 8 as first_try, at > until - pg_temp.days(1.5) as recent,
           case when at > until - pg_temp.days(1.5) then 300 else 10 end as unlucky,
           (h >> 20 & 1023) as luck, at + ((h >> 32 & 1023) * 180000) as seen
    from sent
), tries as (
    select *, case when channel = 'in_app' then 0
                   when first_try >= until then 0
                   when luck >= unlucky + 30 then 1
                   when luck >= unlucky then 2 + (h >> 44 & 1)
                   when recent then 1
                   else 18 end as tried
    from fates
)
select *, first_try + (select coalesce(sum(300000 * power(1.3, i)), 0) from generate_series(0, tried - 2) as i)::bigint as last_try
from tries;

insert into integration.notifications
    (tenant_id, id, user_id, kind, channel, payload, dedupe_key, status, attempts, next_attempt_at, last_error,
     created_at, delivered_at, read_at)
with outcomes as (
    select *, case when channel = 'in_app' and seen < until and h >> 44 & 3 > 0 then 'read'
                   when channel = 'in_app' then 'delivered'
                   when tried = 0 then 'pending'
                   when tried = 18 then 'dead'
                   when luck < unlucky or last_try >= until then 'failed'
                   else 'delivered' end as status
    from plan_notifications
)
select tenant_id, pg_temp.key(at, h), user_id, kind, channel, jsonb_build_object('about', about),
       kind || ' ' || about, status, case when status = 'failed' then 1 else tried end,
       case status when 'pending' then pg_temp.at(at)
                   when 'failed' then pg_temp.at(first_try + 300000) end,
       case when status in ('failed', 'dead') then '451 try again later' end,
       pg_temp.at(at),
       case status when 'read' then pg_temp.at(at)
                   when 'delivered' then pg_temp.at(case channel when 'in_app' then at else last_try end) end,
       case status when 'read' then pg_temp.at(seen) end
from outcomes
order by at, rank, what;

-- What a week's digest tells of again: what its reader was told of on the page in the week before.
insert into integration.digest_items (tenant_id, user_id, event_id, digest_id, kind, created_at)
select d.tenant_id, d.user_id, n.id, d.id, n.kind, n.created_at
from integration.notifications as d
join integration.notifications as n
    on n.tenant_id = d.tenant_id and n.user_id = d.user_id and n.channel = 'in_app'
   and n.created_at < d.created_at and n.created_at >= d.created_at - interval '7 days'
where d.kind = 'digest' and d.channel = 'email'
order by d.created_at, n.created_at, n.id;

-- What was told of while all this was filled in is long since delivered.
delete from integration.outbox;

-- What the relay has not come to yet: the campaigns that began or ended last.
insert into integration.outbox (tenant_id, id, topic, payload, created_at)
select tenant_id, pg_temp.key(at, pg_temp.draw('outbox', n, seed)), kind, jsonb_build_object('campaign_id', id),
       pg_temp.at(at)
from (
    select n, tenant_id, id, kind, at, row_number() over (order by at desc, n) as place
    from plan_campaigns
    cross join lateral (values ('campaign.started', started), ('campaign.finished', finished)) as event (kind, at)
    where at is not null and plan_campaigns.status in ('running', 'finished')
) as events, scale
where place <= greatest(10, running_campaigns / 100)
order by at, n;

-- What is left of tenants that were purged in the last year.
insert into integration.purge_receipts (tenant_id, table_name, position, removed, began_at, finished_at)
select pg_temp.key(began - pg_temp.days(100), h), purged.table_name, position, 1 + (h >> 40 & 255) % most,
       pg_temp.at(began), pg_temp.at(began + position * 1000)
from scale
cross join generate_series(1, 2 + tenants / 200) as n
cross join lateral (select pg_temp.draw('purged tenants', n, seed) as h) as drawn
cross join lateral (select as_of - pg_temp.days(1 + 364 * pg_temp.share(h)) as began) as dated
cross join unnest(array['campaigns.events', 'campaigns.leads', 'users.tenant_users', 'public.tenants'],
                  array[4000, 500, 5, 1]) with ordinality as purged (table_name, most, position)
order by began, n, position;
