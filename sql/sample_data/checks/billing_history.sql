-- billing.payment_attempts: nothing happens before its cause: plans and the time paid for follow without gaps, attempts one after another, and none once a subscription has ended.
with plan as not materialized (
    select i.*, lag(i.ended_at) over (partition by i.tenant_id, i.subscription_id order by i.started_at, i.ended_at) as before_it
    from billing.subscription_items i
    where i.kind = 'plan'
), charge as not materialized (
    select l.*, lag(l.period_end) over (partition by l.tenant_id, l.item_id order by l.period_start) as charged_until
    from billing.invoice_lines l
    where l.kind = 'charge' and l.amount_cents > 0
), attempt as not materialized (
    select a.*, v.issued_at, s.ended_at,
           case lag(a.status) over by_time when 'failed' then lag(a.finished_at) over by_time end as failed_before
    from billing.payment_attempts a
    join billing.payments p on p.tenant_id = a.tenant_id and p.id = a.payment_id
    join billing.invoices v on v.tenant_id = p.tenant_id and v.id = p.invoice_id
    join billing.subscriptions s on s.tenant_id = v.tenant_id and s.id = v.subscription_id
    window by_time as (partition by a.tenant_id, a.payment_id order by a.created_at)
)
select 'a change is not of its subscription''s time' as breach, c.tenant_id, c.id from billing.subscription_changes c
join billing.subscriptions s on s.tenant_id = c.tenant_id and s.id = c.subscription_id
where c.occurred_at not between s.started_at and coalesce(s.ended_at, 'infinity')
union all
select 'the plans of a subscription leave a gap', i.tenant_id, i.id from plan i
join billing.subscriptions s on s.tenant_id = i.tenant_id and s.id = i.subscription_id
where i.started_at <> coalesce(i.before_it, s.started_at)
union all
select 'the period does not end when it should', s.tenant_id, s.id from billing.subscriptions s
where s.period_end <> case when s.period_start = s.started_at and s.trial_ends_at is not null then s.trial_ends_at
                           else billing.period_end(s.anchor_at, s.period, s.period_start) end
   or s.canceled_at not between s.started_at and coalesce(s.ended_at, 'infinity')
union all
select 'an item is charged for twice, or not for a time', c.tenant_id, c.item_id from charge c
join billing.subscription_items i on i.tenant_id = c.tenant_id and i.id = c.item_id
where c.period_start < i.started_at or c.period_start <> c.charged_until
union all
select 'an invoice is not of its subscription''s time', v.tenant_id, v.id from billing.invoices v
join billing.subscriptions s on s.tenant_id = v.tenant_id and s.id = v.subscription_id
where v.issued_at not between s.started_at and coalesce(s.ended_at, 'infinity') or v.closed_at < v.issued_at
union all
select 'an attempt comes too early or too late', a.tenant_id, a.id from attempt a
where a.created_at < greatest(a.issued_at, a.failed_before) or a.finished_at < a.created_at or a.created_at > a.ended_at
union all
select 'paid at another time than the money came', v.tenant_id, v.id from billing.invoices v
join billing.payments p on p.tenant_id = v.tenant_id and p.invoice_id = v.id
where v.status = 'paid' and v.closed_at <> p.succeeded_at
union all
select 'given back before it was paid', r.tenant_id, r.id from billing.refunds r
join billing.payments p on p.tenant_id = r.tenant_id and p.id = r.payment_id
where p.succeeded_at is null or r.created_at < p.succeeded_at or r.finished_at < r.created_at
