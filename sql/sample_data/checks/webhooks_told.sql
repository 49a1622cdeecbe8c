-- billing.webhook_events: every result of a payment or refund was told by an event of the customer's, and was so; what is not processed has not happened.
with event as (
    select e.*, payload #> '{data,object}' as told, c.owner_tenant_id as customer_of
    from billing.webhook_events as e
    left join billing.customers as c on c.provider_id = e.payload #>> '{data,object,customer}'
), result as (
    select 'payment_intent.' || case status when 'succeeded' then 'succeeded' else 'payment_failed' end as type,
           tenant_id, id, finished_at
    from billing.payment_attempts where status <> 'pending'
    union all
    select 'refund.' || case status when 'succeeded' then 'updated' else 'failed' end, tenant_id, id, finished_at
    from billing.refunds where status <> 'pending'
), applied as (
    select id as event, type, owner_tenant_id as tenant_id,
           coalesce(told #>> '{metadata,attempt_id}', told #>> '{metadata,refund_id}')::uuid as id, occurred_at as finished_at
    from event
    where outcome = 'applied' and type not like 'customer.%'
)
select 'told otherwise' as what, tenant_id, id
from result full join applied using (type, tenant_id, id, finished_at)
where result.type is null or applied.type is null
union all
select 'event', e.owner_tenant_id, null
from event as e
where e.payload ->> 'id' <> e.id
   or date_trunc('second', e.occurred_at) <> e.occurred_at
   or e.received_at < e.occurred_at
   or e.processed_at < e.received_at
   or e.owner_tenant_id is distinct from case when e.status = 'processed' or e.attempts > 0 then e.customer_of end
   or case e.status when 'failed' then e.attempts <> 12 when 'processed' then e.outcome not in ('applied', 'stale', 'ignored')
                    else e.attempts > 0 and e.retry_at < e.received_at end
