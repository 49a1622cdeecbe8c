-- What became of the notifications written on a day (UTC), by kind and channel, and how long they took.

-- name: keys
select distinct tenant_id, (created_at at time zone 'UTC')::date as day, kind, channel from staging.notifications;

-- name: touched_by_notifications
select tenant_id, (created_at at time zone 'UTC')::date as day, kind, channel from delta_notifications;

-- name: rows
with notification as (
    select
        tenant_id,
        (created_at at time zone 'UTC')::date as day,
        kind,
        channel,
        status,
        attempts,
        (epoch_us(delivered_at) - epoch_us(created_at)) // 1000 as delay_ms
    from staging.notifications
    semi join scope
        on scope.tenant_id = notifications.tenant_id
        and scope.day = (notifications.created_at at time zone 'UTC')::date
        and scope.kind = notifications.kind and scope.channel = notifications.channel
)
select
    tenant_id,
    day,
    kind,
    channel,
    count(*) as created,
    count(*) filter (status in ('delivered', 'read')) as delivered,
    count(*) filter (status = 'read') as read,
    count(*) filter (status = 'pending') as pending,
    count(*) filter (status = 'failed') as failed,
    count(*) filter (status = 'dead') as dead,
    sum(attempts)::bigint as attempts,
    quantile_disc(delay_ms, 0.5) as delay_p50_ms,
    quantile_disc(delay_ms, 0.95) as delay_p95_ms
from notification
group by tenant_id, day, kind, channel
order by tenant_id, day, kind, channel;

-- name: comments
comment on table marts.notification_daily is 'What became of the notifications written on a day (UTC), by kind and channel, and how long they took.';
comment on column marts.notification_daily.tenant_id is 'The tenant.';  -- from notifications.tenant_id
comment on column marts.notification_daily.day is 'Day on which they were written, in UTC.';  -- from notifications.created_at
comment on column marts.notification_daily.kind is 'What of, such as campaign.finished.';  -- from notifications.kind
comment on column marts.notification_daily.channel is 'in_app (there once it is written) or email.';  -- from notifications.channel
comment on column marts.notification_daily.created is 'Notifications written: those delivered, pending, failed and dead.';  -- from notifications.id
comment on column marts.notification_daily.delivered is 'Delivered by now, read or not.';  -- from notifications.status
comment on column marts.notification_daily.read is 'Read by now.';  -- from notifications.status
comment on column marts.notification_daily.pending is 'Not tried yet.';  -- from notifications.status
comment on column marts.notification_daily.failed is 'Tried in vain so far, to be tried again.';  -- from notifications.status
comment on column marts.notification_daily.dead is 'Given up.';  -- from notifications.status
comment on column marts.notification_daily.attempts is 'Deliveries tried so far.';  -- from notifications.attempts
comment on column marts.notification_daily.delay_p50_ms is 'Milliseconds, rounded down, from writing to delivery that half of the delivered ones took at most; null when none was delivered.';  -- from notifications.created_at, notifications.delivered_at
comment on column marts.notification_daily.delay_p95_ms is 'Likewise 95 % of them.';  -- from notifications.created_at, notifications.delivered_at
