-- billing.subscription_changes: each follows from the one before, by a transition that may be, and the last is what the subscription is.
with change as (
    select *, lag(status) over by_time as status_before, lag(mrr_cents, 1, 0::bigint) over by_time as mrr_before,
           lead(id) over by_time is null as is_last
    from billing.subscription_changes
    window by_time as (partition by tenant_id, subscription_id order by occurred_at, id)
)
select c.tenant_id, c.id, c.kind, c.status, c.status_before
from change as c
join billing.subscriptions as s on s.tenant_id = c.tenant_id and s.id = c.subscription_id
left join lab.transitions as t
    on t.table_name = 'billing.subscriptions' and t.from_status = c.status_before and t.to_status = c.status
where c.mrr_delta_cents <> c.mrr_cents - c.mrr_before
   or (c.kind = 'created') <> (c.status_before is null)
   or c.status <> c.status_before and t.to_status is null
   or c.is_last and (c.status, c.plan_key, c.mrr_cents) is distinct from (s.status, s.plan_key, s.mrr_cents)
