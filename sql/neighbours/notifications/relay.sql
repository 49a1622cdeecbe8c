-- The relay's statements. Arrays go from one server to the other as their text, which nobody in between reads.

-- name: limits_of_outbox
-- A relay that hangs must not keep a purge of the outbox waiting.
set statement_timeout = '10s'; set idle_in_transaction_session_timeout = '15s'; set lock_timeout = '2s'

-- name: limits_of_queue
set statement_timeout = '10s'; set lock_timeout = '2s'

-- name: waiting
-- Without a transaction, a lock or an xid; what was deleted is passed over by its page until it is vacuumed.
select exists (select from integration.outbox)

-- name: fan_out
select integration.fan_out_waiting(%(batch)s, burst => %(burst)s, period => %(period)s)

-- name: take
-- Deleted, as far as others can tell, when this commits; until then locked.
with taken as (
    delete from integration.outbox o
    where o.ctid = any (array(
        select due.ctid from integration.outbox due where due.topic in ('notification.due', 'event.refused')
        limit %(batch)s for update skip locked))
    returning o.tenant_id, o.id, o.topic, o.payload
)
select count(*), array_agg(t.tenant_id)::text, array_agg(t.id)::text, array_agg(t.topic)::text, array_agg(t.payload::text)::text
from taken t

-- name: hand_over
select queue.receive(%s::uuid[], %s::uuid[], %s::text[], %s::text[])
