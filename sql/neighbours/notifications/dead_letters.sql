-- Mails that were given up, which an operator has tried again.

-- name: held
select id, convert_from(payload, 'UTF8')::jsonb ->> 'tenant_id', convert_from(payload, 'UTF8')::jsonb ->> 'id'
from queue.pgqueuer where status = 'failed' and entrypoint = 'deliver' order by id limit %s

-- name: retry
select integration.retry_notification(n.tenant_id, n.id)
from unnest(%s::uuid[], %s::uuid[]) as held (tenant_id, id)
join integration.notifications n on n.tenant_id = held.tenant_id and n.id = held.id
where n.status = 'dead'
