-- A wave of events, made by what makes them in life: campaigns that start and finish.

-- name: discard_waiting
-- What the sample data left waiting is not of the wave.
delete from integration.outbox

-- name: tenants
-- The busiest first: the first of them gets the storm.
select t.id::text
from public.tenants t
where t.status = 'active' and exists (
    select from users.tenant_users m where m.tenant_id = t.id and m.deleted is null and m.roles && '{owner,admin}')
order by t.id limit %s

-- name: spoil_addresses
-- One owner in ten has an address that is gone, one in ten a mailbox that says later first.
with owner as (
    select m.user_id, row_number() over (order by m.user_id) as place
    from (select distinct m.user_id from users.tenant_users m
          where m.tenant_id = any (%s::uuid[]) and m.roles && '{owner,admin}' and m.deleted is null) as m
)
update users.users u
set email = case owner.place %% 10 when 3 then 'gone.' else 'later.' end || owner.place || '@wave.example'
from owner where owner.user_id = u.id and owner.place %% 10 in (3, 7)

-- name: plan
insert into campaigns.campaigns (tenant_id, name, external_id)
select (%(tenants)s::uuid[])[n], 'wave ' || i, 'wave ' || gen_random_uuid()
from generate_series(1, cardinality(%(tenants)s::uuid[])) as n
cross join lateral generate_series(1, case n when 1 then %(storm)s else %(each)s end) as i

-- name: start
update campaigns.campaigns c set status = 'running', started_at = clock_timestamp(), updated_at = clock_timestamp()
where c.tenant_id = any (%(tenants)s::uuid[]) and c.external_id like 'wave %%' and c.status = 'draft'

-- name: finish
update campaigns.campaigns c set status = 'finished', finished_at = clock_timestamp(), updated_at = clock_timestamp()
where c.tenant_id = any (%(tenants)s::uuid[]) and c.external_id like 'wave %%' and c.status = 'running'

-- name: note_events
-- What must arrive, before anybody has taken it.
create table public.wave_events as select * from integration.outbox where false;
grant select, insert on public.wave_events to lab_platform;
create function public.note_event() returns trigger language plpgsql set search_path = pg_catalog as $$
begin
    insert into public.wave_events values (new.*);
    return null;
end
$$;
create trigger note_event after insert on integration.outbox for each row
    when (new.topic not in ('notification.due', 'event.refused')) execute function public.note_event()

-- name: unsettled
select (select count(*) from integration.outbox),
       (select count(*) from integration.notifications n
        where n.channel = 'email' and n.status in ('pending', 'failed') and n.dedupe_key like any ('{event %,digest %}'::text[]))

-- name: jobs
select count(*) from queue.pgqueuer where status <> 'failed'

-- name: held
select jsonb_array_elements_text(convert_from(payload, 'UTF8')::jsonb -> 'notifications')
from queue.pgqueuer where status = 'failed' and entrypoint = 'deliver'
