-- From an event to mails: who is told, in how many mails, and what they say.

create function integration.fan_out(
    events jsonb, at timestamptz default now(), burst integer default 5, period interval default '1 hour'
) returns integer
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    this_window constant timestamptz := date_bin(period, at, 'epoch');
    written integer;
begin
    -- One at a time for a tenant, or two would both find room for the same user's last mail; in one order.
    perform pg_advisory_xact_lock(hashtextextended(t.tenant_id::text, 0))
    from (select distinct e.tenant_id from jsonb_to_recordset(events) as e (tenant_id uuid) order by 1) as t;

    with event as materialized (
        select e.*
        from jsonb_to_recordset(events) as e (tenant_id uuid, id uuid, topic text, payload jsonb, created_at timestamptz)
    ), audience as materialized (
        -- with the mails that each got lately, as far as that matters
        select k.tenant_id, k.topic, a.user_id, a.channel, case a.channel when 'email' then (
                   select count(*)
                   from (select from integration.notifications n
                         where n.tenant_id = k.tenant_id and n.user_id = a.user_id
                           and n.channel = 'email' and n.kind <> 'digest' and n.created_at > at - period
                         limit burst) as lately) end as mails
        from (select distinct e.tenant_id, e.topic from event e) as k
        cross join lateral integration.audience(k.tenant_id, k.topic) as a
    ), wanted as (
        select e.tenant_id, a.user_id, a.channel, a.mails, e.id, e.topic, e.payload, e.created_at
        from event e
        join audience a on a.tenant_id = e.tenant_id and a.topic = e.topic
        -- told before: this is a repetition
        where not exists (
                select from integration.notifications n
                where n.tenant_id = e.tenant_id and n.user_id = a.user_id
                  and n.dedupe_key = 'event ' || e.id and n.channel = a.channel)
          and not exists (
                select from integration.digest_items i
                where i.tenant_id = e.tenant_id and i.user_id = a.user_id and i.event_id = e.id
                  and a.channel = 'email')
    ), placed as materialized (
        select w.*, w.channel = 'email' and w.mails + row_number() over (
                   partition by w.tenant_id, w.user_id, w.channel order by w.created_at, w.id) > burst as too_many
        from wanted w
    ), told as (
        insert into integration.notifications
            (tenant_id, user_id, kind, channel, payload, dedupe_key, status, next_attempt_at, created_at, delivered_at)
        select p.tenant_id, p.user_id, p.topic, p.channel, p.payload, 'event ' || p.id,
               case p.channel when 'in_app' then 'delivered' else 'pending' end,
               case when p.channel <> 'in_app' then at end, at,
               case p.channel when 'in_app' then at end
        from placed p where not p.too_many
        on conflict on constraint notifications_once_key do nothing
        returning tenant_id, id, channel
    ), digested as (
        select distinct p.tenant_id, p.user_id from placed p where p.too_many
    ), digests as (
        -- Locked, while it has not been composed; what comes later goes into the next one.
        insert into integration.notifications as n
            (tenant_id, user_id, kind, channel, dedupe_key, status, next_attempt_at, created_at)
        select d.tenant_id, d.user_id, 'digest', 'email', 'digest ' || this_window, 'pending', this_window + period, at
        from digested d
        on conflict on constraint notifications_once_key do update set payload = n.payload where n.payload = '{}'
        returning n.tenant_id, n.user_id, n.id, n.next_attempt_at, n.xmax = 0 as is_new
    ), later_digests as (
        insert into integration.notifications as n
            (tenant_id, user_id, kind, channel, dedupe_key, status, next_attempt_at, created_at)
        select d.tenant_id, d.user_id, 'digest', 'email', 'digest ' || this_window + period, 'pending',
               this_window + 2 * period, at
        from digested d
        where not exists (select from digests s where s.tenant_id = d.tenant_id and s.user_id = d.user_id)
        on conflict on constraint notifications_once_key do update set payload = n.payload where n.payload = '{}'
        returning n.tenant_id, n.user_id, n.id, n.next_attempt_at, n.xmax = 0 as is_new
    ), open_digests as (
        select * from digests union all select * from later_digests
    ), items as (
        insert into integration.digest_items (tenant_id, user_id, event_id, digest_id, kind, created_at)
        select p.tenant_id, p.user_id, p.id, o.id, p.topic, at
        from placed p join open_digests o on o.tenant_id = p.tenant_id and o.user_id = p.user_id
        where p.too_many
        returning event_id
    ), due as (
        insert into integration.outbox (tenant_id, id, topic, payload, created_at)
        select t.tenant_id, t.id, 'notification.due', '{}', at from told t where t.channel = 'email'
        union all
        select o.tenant_id, o.id, 'notification.due', jsonb_build_object('at', o.next_attempt_at), at
        from open_digests o where o.is_new
        returning id
    )
    select (select count(*) from told) + (select count(*) from items) into written;
    return written;
end
$$;
comment on function integration.fan_out(jsonb, timestamptz, integer, interval) is
    'lab_platform: tells whom they concern of events, [{tenant_id, id, topic, payload, created_at}], once however often it is called; mails beyond the burst of a period wait for its digest. Puts mails into the outbox; returns how many were told.';

create function integration.fan_out_waiting(
    batch integer default 500, at timestamptz default now(), burst integer default 5, period interval default '1 hour'
) returns integer
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    taken jsonb;
    event jsonb;
begin
    with gone as (
        delete from integration.outbox o
        where o.ctid = any (array(
            select w.ctid from integration.outbox w where w.topic not in ('notification.due', 'event.refused')
            limit batch for update skip locked))
        returning o.tenant_id, o.id, o.topic, o.payload, o.created_at
    )
    select jsonb_agg(to_jsonb(g)) into taken from gone g;
    if taken is null then
        return 0;
    end if;
    begin
        perform integration.fan_out(taken, at, burst, period);
    exception when data_exception or integrity_constraint_violation or raise_exception then
        -- One by one: what can be told to nobody stops nothing, and is held by the queue.
        for event in select e from jsonb_array_elements(taken) as e loop
            begin
                perform integration.fan_out(jsonb_build_array(event), at, burst, period);
            exception when data_exception or integrity_constraint_violation or raise_exception then
                insert into integration.outbox (tenant_id, id, topic, payload)
                values ((event ->> 'tenant_id')::uuid, (event ->> 'id')::uuid, 'event.refused',
                        jsonb_build_object('topic', event -> 'topic', 'payload', event -> 'payload', 'error', sqlerrm));
            end;
        end loop;
    end;
    return jsonb_array_length(taken);
end
$$;
comment on function integration.fan_out_waiting(integer, timestamptz, integer, interval) is
    'lab_platform: takes events from the outbox and tells whom they concern of them, all or nothing; an event that cannot be told is put back as refused. Returns how many were taken.';

create function integration.compose_mails(notifications jsonb)
    returns table (tenant_id uuid, id uuid, status text, address text, event text, subject text, body text)
    language plpgsql
    set search_path = pg_catalog
as $$
#variable_conflict use_column
begin
    -- First the locks, then the count: who adds to a digest holds its lock.
    perform from integration.notifications n
    join jsonb_to_recordset(notifications) as w (tenant_id uuid, id uuid) on w.tenant_id = n.tenant_id and w.id = n.id
    where n.kind = 'digest' and n.payload = '{}'
    order by n.tenant_id, n.id
    for no key update of n;
    update integration.notifications n
    set payload = jsonb_build_object('kinds', coalesce((
        select jsonb_object_agg(k.kind, k.total)
        from (select i.kind, count(*) as total from integration.digest_items i
              where i.tenant_id = n.tenant_id and i.digest_id = n.id group by i.kind) as k), '{}'))
    from jsonb_to_recordset(notifications) as w (tenant_id uuid, id uuid)
    where n.tenant_id = w.tenant_id and n.id = w.id and n.kind = 'digest' and n.payload = '{}';
    return query
        select n.tenant_id, n.id, n.status, u.email, coalesce(n.dedupe_key, n.id::text),
               k.description || coalesce(' (' || (n.payload ->> 'name') || ')', ''),
               jsonb_pretty(n.payload || jsonb_build_object('kind', n.kind))
        from jsonb_to_recordset(notifications) as w (tenant_id uuid, id uuid)
        join integration.notifications n on n.tenant_id = w.tenant_id and n.id = w.id
        join integration.notification_kinds k on k.key = n.kind
        join users.users u on u.id = n.user_id
        where n.channel = 'email';
end
$$;
comment on function integration.compose_mails(jsonb) is
    'lab_platform: what the mails of notifications, [{tenant_id, id}], say and to whom; a digest is closed by it.';

revoke execute on all functions in schema integration from public;
grant execute on function
    integration.fan_out(jsonb, timestamptz, integer, interval),
    integration.fan_out_waiting(integer, timestamptz, integer, interval),
    integration.compose_mails(jsonb)
    to lab_platform;
