-- What the relay hands over, and what it has handed over before.

create table queue.relay_seen (
    tenant_id uuid not null,
    event_id  uuid not null,
    seen_at   timestamptz not null default now(),
    constraint relay_seen_pkey primary key (tenant_id, event_id)
);
comment on table queue.relay_seen is 'Every event that was ever handed over. PgQueuer''s own dedupe key is forgotten when its job ends.';
comment on column queue.relay_seen.tenant_id is 'The tenant it happened to: no tenant can name another''s event.';
comment on column queue.relay_seen.event_id is 'Its key in the outbox.';
comment on column queue.relay_seen.seen_at is 'When it was first handed over.';

create function queue.receive(tenants uuid[], ids uuid[], topics text[], payloads text[])
    returns bigint
    language sql
    set search_path = pg_catalog
begin atomic
    with event as (
        select e.tenant_id, e.id, e.topic, e.payload::json as payload
        from unnest(tenants, ids, topics, payloads) as e (tenant_id, id, topic, payload)
    ), seen as (
        insert into queue.relay_seen (tenant_id, event_id)
        select e.tenant_id, e.id from event e
        on conflict do nothing
        returning tenant_id, event_id
    ), fresh as (
        select e.* from event e join seen s on s.tenant_id = e.tenant_id and s.event_id = e.id
    ), due as (
        -- A job is what a tenant's users are told at one time, in mails that one connection sends.
        select f.tenant_id, f.id, coalesce((f.payload ->> 'at')::timestamptz, now()) as at,
               (row_number() over (partition by f.tenant_id, f.payload ->> 'at' order by f.id) - 1) / 50 as part
        from fresh f where f.topic = 'notification.due'
    ), job as (
        select 'deliver' as entrypoint, 'queued' as status, d.at,
               json_build_object('tenant_id', d.tenant_id, 'notifications', json_agg(d.id order by d.id)) as payload
        from due d group by d.tenant_id, d.at, d.part
        union all
        select 'fan_out', 'failed', now(),
               json_build_object('tenant_id', f.tenant_id, 'id', f.id, 'topic', f.payload -> 'topic',
                                 'payload', f.payload -> 'payload', 'error', f.payload -> 'error')
        from fresh f where f.topic = 'event.refused'
    ), queued as (
        insert into queue.pgqueuer (priority, entrypoint, payload, status, execute_after)
        select 0, j.entrypoint, convert_to(j.payload::text, 'UTF8'), j.status::queue.pgqueuer_status, j.at
        from job j
        returning id, entrypoint, priority, status
    ), logged as (
        insert into queue.pgqueuer_log (job_id, status, entrypoint, priority)
        select q.id, q.status, q.entrypoint, q.priority from queued q
        returning id
    )
    select count(*) from logged;
end;
comment on function queue.receive(uuid[], uuid[], text[], text[]) is
    'lab_platform: makes jobs of the mails that were not handed over before, at most 50 in one, and of the events that cannot be told, which are held; returns how many jobs.';

revoke execute on all functions in schema queue from public;
grant usage on schema queue to lab_platform;
grant select, insert, update, delete, truncate on all tables in schema queue to lab_platform;
grant usage, select on all sequences in schema queue to lab_platform;
grant execute on all functions in schema queue to lab_platform;
