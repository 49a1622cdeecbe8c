-- The worker's statements.

-- name: limits
set statement_timeout = '30s'; set idle_in_transaction_session_timeout = '60s'

-- name: compose
select id::text, tenant_id::text, status, address, event, subject, body from integration.compose_mails(%s)

-- name: mark
select case when r.reason is null then integration.mark_delivered(r.tenant_id, r.id)::text
            else integration.mark_failed(r.tenant_id, r.id, r.reason, now(), r.for_good) end
from jsonb_to_recordset(%s) as r (tenant_id uuid, id uuid, reason text, for_good boolean)
order by r.tenant_id, r.id

-- name: marked
select n.id::text, n.status, extract(epoch from n.next_attempt_at - now())::float8
from jsonb_to_recordset(%s) as r (tenant_id uuid, id uuid)
join integration.notifications n on n.tenant_id = r.tenant_id and n.id = r.id
