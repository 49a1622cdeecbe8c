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

create function queue.receive(tenants uuid[], events uuid[], topics text[], payloads text[], created text[])
    returns bigint
    language sql
    set search_path = pg_catalog
begin atomic
    with event as (
        select e.*, case e.topic when 'notification.due' then 'deliver' else 'fan_out' end as entrypoint
        from unnest(tenants, events, topics, payloads, created) as e (tenant_id, id, topic, payload, created_at)
    ), seen as (
        insert into queue.relay_seen (tenant_id, event_id)
        select e.tenant_id, e.id from event e
        on conflict do nothing
        returning tenant_id, event_id
    ), queued as (
        insert into queue.pgqueuer (priority, entrypoint, payload, status, execute_after)
        select 0, e.entrypoint,
               convert_to(json_build_object('tenant_id', e.tenant_id, 'id', e.id, 'topic', e.topic,
                                            'payload', e.payload::json, 'created_at', e.created_at)::text, 'UTF8'),
               'queued',
               case when e.entrypoint = 'deliver' then coalesce((e.payload::json ->> 'at')::timestamptz, now()) else now() end
        from event e
        join seen s on s.tenant_id = e.tenant_id and s.event_id = e.id
        returning id, entrypoint, priority
    ), logged as (
        insert into queue.pgqueuer_log (job_id, status, entrypoint, priority)
        select q.id, 'queued', q.entrypoint, q.priority from queued q
        returning id
    )
    select count(*) from logged;
end;
comment on function queue.receive(uuid[], uuid[], text[], text[], text[]) is
    'lab_platform: makes a job of each event that was not handed over before; returns how many.';

revoke execute on all functions in schema queue from public;
grant usage on schema queue to lab_platform;
grant select, insert, update, delete, truncate on all tables in schema queue to lab_platform;
grant usage, select on all sequences in schema queue to lab_platform;
grant execute on all functions in schema queue to lab_platform;
