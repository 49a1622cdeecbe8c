-- integration.notifications: every campaign that began or ended within 90 days was told of where its owner wanted, to nobody else, and once.
with happened as (
    select c.tenant_id, c.id, e.kind, e.at
    from sample_campaigns as c
    cross join made
    cross join lateral (values ('campaign.started', c.started_at), ('campaign.finished', c.finished_at)) as e (kind, at)
    where e.at > as_of - interval '90 days'
), told as (
    select tenant_id, kind, channel, created_at, user_id, count(*) as times
    from integration.notifications
    where kind in ('campaign.started', 'campaign.finished')
    group by tenant_id, kind, channel, created_at, user_id
), wanted as (
    select h.tenant_id, h.kind, c.channel, h.at as created_at, m.user_id, count(*) as times
    from happened as h
    join users.tenant_users as m on m.tenant_id = h.tenant_id and 'owner' = any (m.roles)
    join tenant_lives as t on t.tenant_id = h.tenant_id and t.until > h.at + interval '1 second'
    join integration.notification_kinds as k on k.key = h.kind
    cross join unnest('{in_app,email}'::text[]) as c (channel)
    left join integration.notification_preferences as p
        on p.tenant_id = h.tenant_id and p.user_id = m.user_id and p.kind = h.kind and p.channel = c.channel
       and p.updated_at <= h.at
    where coalesce(p.enabled, c.channel = any (k.default_channels))
      and configuration.policy_allows(h.tenant_id, 'notification_channels', c.channel)
    group by h.tenant_id, h.kind, c.channel, h.at, m.user_id
)
(select 'not told' as what, * from wanted except all select 'not told', * from told)
union all
(select 'not wanted', * from told except all select 'not wanted', * from wanted)
