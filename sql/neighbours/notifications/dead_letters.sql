-- What was given up, mails and events, which an operator has tried again.

-- name: mails
-- Jobs with a mail that was given up; the other mails of a job have arrived.
select j.id, j.job ->> 'tenant_id', array(select jsonb_array_elements_text(j.job -> 'notifications'))
from (select id, convert_from(payload, 'UTF8')::jsonb as job
      from queue.pgqueuer where status = 'failed' and entrypoint = 'deliver' order by id limit %s) as j

-- name: retry
select count(integration.retry_notification(n.tenant_id, n.id))
from integration.notifications n
where n.tenant_id = %s and n.id = any (%s::uuid[]) and n.status = 'dead'

-- name: events
-- Forgotten, so that it is taken again should it be refused again.
with released as (
    delete from queue.pgqueuer
    where id = any (array(select id from queue.pgqueuer where status = 'failed' and entrypoint = 'fan_out' order by id limit %s))
    returning convert_from(payload, 'UTF8')::jsonb as event
), forgotten as (
    delete from queue.relay_seen s using released r
    where s.tenant_id = (r.event ->> 'tenant_id')::uuid and s.event_id = (r.event ->> 'id')::uuid
)
select event from released

-- name: tell_again
insert into integration.outbox (tenant_id, id, topic, payload)
select e.tenant_id, e.id, e.topic, e.payload
from jsonb_to_recordset(%s) as e (tenant_id uuid, id uuid, topic text, payload jsonb)
on conflict do nothing
