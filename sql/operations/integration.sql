-- Notifications: who is told what, and whether it arrived.

-- No search_path setting: it would keep the query from being planned into its caller's.
create function integration.audience(tenant uuid, kind text, recipient uuid default null)
    returns table (user_id uuid, channel text)
    language sql stable
begin atomic
    select m.user_id, c.channel
    from integration.notification_kinds k
    cross join unnest('{in_app,email}'::text[]) as c (channel)
    join users.tenant_users m
        on m.tenant_id = tenant and m.deleted is null
       and (m.user_id = recipient or (recipient is null and m.roles && '{owner,admin}'))
    left join integration.notification_preferences p
        on p.tenant_id = tenant and p.user_id = m.user_id and p.kind = k.key and p.channel = c.channel
    where k.key = audience.kind
      and coalesce(p.enabled, c.channel = any (k.default_channels))
      and configuration.policy_allows(tenant, 'notification_channels', c.channel);
end;
comment on function integration.audience(uuid, text, uuid) is
    'lab_app: who hears of a kind of notification, and where: a member (null: every owner and admin) on each channel that they want and policy allows.';

create function integration.notify(
    tenant uuid, kind text, payload jsonb default '{}', recipient uuid default null,
    dedupe_key text default null, at timestamptz default now()
) returns integer
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    written integer;
begin
    perform from integration.notification_kinds k where k.key = notify.kind;
    if not found then
        raise exception 'there is no notification %', kind using errcode = 'invalid_parameter_value';
    end if;
    insert into integration.notifications
        (tenant_id, user_id, kind, channel, payload, dedupe_key, status, next_attempt_at, created_at, delivered_at)
    select tenant, a.user_id, notify.kind, a.channel, notify.payload, notify.dedupe_key,
           case a.channel when 'in_app' then 'delivered' else 'pending' end,
           case when a.channel <> 'in_app' then at end,
           at,
           case a.channel when 'in_app' then at end
    from integration.audience(tenant, notify.kind, recipient) as a
    on conflict on constraint notifications_once_key do nothing;
    get diagnostics written = row_count;
    return written;
end
$$;
comment on function integration.notify(uuid, text, jsonb, uuid, text, timestamptz) is
    'lab_app: writes a notification to a member (null: to every owner and admin) on each channel that they want and policy allows; returns how many.';

create function integration.claim_notifications(
    batch integer default 100, per_tenant integer default 20, lease interval default '5 minutes',
    at timestamptz default now()
) returns setof integration.notifications
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    waiting uuid;
    taken integer;
    remaining integer := batch;
begin
    for waiting in
        select distinct n.tenant_id from integration.notifications n where n.next_attempt_at <= at
    loop
        exit when remaining <= 0;
        return query
            update integration.notifications n
            set next_attempt_at = at + lease
            where n.tenant_id = waiting and n.id = any (array(
                select due.id from integration.notifications due
                where due.tenant_id = waiting and due.next_attempt_at <= at
                order by due.next_attempt_at
                limit least(per_tenant, remaining)
                for update skip locked))
            returning n.*;
        get diagnostics taken = row_count;
        remaining := remaining - taken;
    end loop;
end
$$;
comment on function integration.claim_notifications(integer, integer, interval, timestamptz) is
    'lab_platform: takes due notifications, so many of a tenant; who dies with them loses them when the lease ends.';

create function integration.mark_delivered(tenant uuid, notification uuid, at timestamptz default now())
    returns boolean
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    held text;
begin
    select n.status into held from integration.notifications n
    where n.tenant_id = tenant and n.id = notification for update;
    if not found then
        raise exception 'notification % does not exist', notification using errcode = 'invalid_parameter_value';
    elsif held in ('delivered', 'read') then
        return false;
    end if;
    update integration.notifications n
    set status = 'delivered', delivered_at = at, next_attempt_at = null, last_error = null, attempts = n.attempts + 1
    where n.tenant_id = tenant and n.id = notification;
    return true;
end
$$;
comment on function integration.mark_delivered(uuid, uuid, timestamptz) is
    'lab_platform: a notification arrived; false when that was known already.';

create function integration.mark_failed(
    tenant uuid, notification uuid, reason text, at timestamptz default now(), for_good boolean default false
) returns text
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    attempts_allowed constant integer := 18;  -- with the delays below, as Postal: about 30 hours
    held record;
    outcome text;
begin
    select n.status, n.attempts + 1 as attempts into held from integration.notifications n
    where n.tenant_id = tenant and n.id = notification for update;
    if not found then
        raise exception 'notification % does not exist', notification using errcode = 'invalid_parameter_value';
    elsif held.status in ('delivered', 'read') then
        return held.status;
    end if;
    -- from dead there is no way to failed, which the state machine says
    outcome := case when held.status = 'dead' then 'failed'
                    when for_good or held.attempts >= attempts_allowed then 'dead'
                    else 'failed' end;
    update integration.notifications n
    set status = outcome,
        attempts = held.attempts,
        last_error = reason,
        next_attempt_at = case outcome when 'failed' then at + interval '5 minutes' * power(1.3, held.attempts - 1) end
    where n.tenant_id = tenant and n.id = notification;
    return outcome;
end
$$;
comment on function integration.mark_failed(uuid, uuid, text, timestamptz, boolean) is
    'lab_platform: an attempt failed, perhaps for good; returns failed (to be tried again), dead (given up), or delivered or read when it had arrived.';

create function integration.retry_notification(tenant uuid, notification uuid, at timestamptz default now())
    returns void
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    update integration.notifications n
    set status = 'pending', attempts = 0, next_attempt_at = at
    where n.tenant_id = tenant and n.id = notification and n.status not in ('pending', 'failed');
    if not found then
        raise exception 'notification % does not exist or is still to be tried', notification
            using errcode = 'invalid_parameter_value';
    end if;
end
$$;
comment on function integration.retry_notification(uuid, uuid, timestamptz) is
    'lab_platform: a dead notification is tried again from the start.';

create function integration.unread_notifications(tenant uuid, acting_user uuid, at_most integer default 50)
    returns setof integration.notifications
    language sql stable
begin atomic
    select n.* from integration.notifications n
    where n.tenant_id = tenant and n.user_id = acting_user and n.status = 'delivered' and n.channel = 'in_app'
    order by n.created_at desc
    limit at_most;
end;
comment on function integration.unread_notifications(uuid, uuid, integer) is
    'lab_app: what a user has not read yet, newest first.';

create function integration.mark_read(
    tenant uuid, acting_user uuid, notifications uuid[] default null, at timestamptz default now()
) returns integer
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    marked integer;
begin
    update integration.notifications n
    set status = 'read', read_at = at
    where n.tenant_id = tenant and n.user_id = acting_user and n.status = 'delivered' and n.channel = 'in_app'
      and (mark_read.notifications is null or n.id = any (mark_read.notifications));
    get diagnostics marked = row_count;
    return marked;
end
$$;
comment on function integration.mark_read(uuid, uuid, uuid[], timestamptz) is
    'lab_app: a user has read these (null: all); returns how many were unread.';

create function integration.set_notification_preference(
    tenant uuid, acting_user uuid, kind text, channel text, enabled boolean, at timestamptz default now()
) returns void
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    if enabled is null then
        delete from integration.notification_preferences p
        where p.tenant_id = tenant and p.user_id = acting_user
          and p.kind = set_notification_preference.kind and p.channel = set_notification_preference.channel;
        return;
    end if;
    perform from integration.notification_kinds k where k.key = set_notification_preference.kind;
    if not found then
        raise exception 'there is no notification %', kind using errcode = 'invalid_parameter_value';
    end if;
    insert into integration.notification_preferences as p (tenant_id, user_id, kind, channel, enabled, updated_at)
    values (tenant, acting_user, set_notification_preference.kind, set_notification_preference.channel,
            set_notification_preference.enabled, at)
    on conflict on constraint notification_preferences_pkey do update
    set enabled = excluded.enabled, updated_at = excluded.updated_at;
end
$$;
comment on function integration.set_notification_preference(uuid, uuid, text, text, boolean, timestamptz) is
    'lab_app: whether a user wants a kind of notification on a channel; null goes back to the default.';

revoke execute on all functions in schema integration from public;
grant execute on function
    integration.audience(uuid, text, uuid),
    integration.notify(uuid, text, jsonb, uuid, text, timestamptz)
    to lab_app, lab_platform;
grant execute on function
    integration.unread_notifications(uuid, uuid, integer),
    integration.mark_read(uuid, uuid, uuid[], timestamptz),
    integration.set_notification_preference(uuid, uuid, text, text, boolean, timestamptz)
    to lab_app;
grant execute on function
    integration.claim_notifications(integer, integer, interval, timestamptz),
    integration.mark_delivered(uuid, uuid, timestamptz),
    integration.mark_failed(uuid, uuid, text, timestamptz, boolean),
    integration.retry_notification(uuid, uuid, timestamptz)
    to lab_platform;
