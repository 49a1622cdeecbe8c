-- billing.subscriptions: every tenant beyond created has subscribed within its life: a deleted one's ended with it, a suspended one has not paid; nothing is overdue or yet to happen.
with judged as (
    select t.*, n.subscriptions, n.live, n.ended_at, n.started_at
    from tenant_lives as t
    cross join lateral (
        select count(*) as subscriptions, max(s.status) filter (where s.ended_at is null) as live,
               max(s.ended_at) as ended_at, min(s.started_at) as started_at
        from billing.subscriptions as s
        where s.tenant_id = t.tenant_id) as n
)
select 'subscription' as what, tenant_id, status as detail
from judged
where (status = 'created') <> (subscriptions = 0)
   or started_at not between since and until
   or status = 'deleted' and (live is not null or ended_at <> until)
   or status = 'suspended' and live not in ('past_due', 'unpaid')
   or status = 'active' and live is null and ended_at is null
union all
select 'overdue', s.tenant_id, s.status
from made, billing.subscriptions as s
where s.due_at < made.as_of - interval '5 minutes'
union all
select 'overdue', v.tenant_id, v.status
from made, billing.invoices as v
where v.next_attempt_at < made.as_of - interval '5 minutes'
union all
select 'in the future', h.tenant_id, h.what
from made
cross join lateral (
    select tenant_id, 'change' as what, occurred_at as at from billing.subscription_changes
    union all
    select tenant_id, 'invoice', greatest(issued_at, closed_at, updated_at) from billing.invoices
    union all
    select tenant_id, 'payment', greatest(created_at, succeeded_at, updated_at) from billing.payments
    union all
    select tenant_id, 'attempt', greatest(created_at, finished_at) from billing.payment_attempts
    union all
    select tenant_id, 'refund', greatest(created_at, finished_at) from billing.refunds
    union all
    select tenant_id, 'override', created_at from billing.overrides
    union all
    select owner_tenant_id, 'event', greatest(occurred_at, received_at, processed_at) from billing.webhook_events
) as h
where h.at > made.as_of
