-- billing.subscriptions: a subscription agrees with its items, its history, its invoices and what it is worth a month.
with subscription as not materialized (
    select s.*, i.plans, i.plan, i.items, i.cents, i.other_periods,
           (select coalesce(sum(c.mrr_delta_cents), 0) from billing.subscription_changes c
            where c.tenant_id = s.tenant_id and c.subscription_id = s.id) as noted_cents
    from billing.subscriptions s
    cross join lateral (
        select count(*) filter (where live.kind = 'plan') as plans, count(*) as items,
               min(live.product_key) filter (where live.kind = 'plan') as plan,
               coalesce(sum(live.unit_amount_cents * live.quantity), 0) as cents,
               count(*) filter (where p.period is distinct from s.period
                                   or p.amount_cents is distinct from live.unit_amount_cents) as other_periods
        from billing.subscription_items live
        left join billing.prices p on p.key = live.price_key and p.product_key = live.product_key
        where live.tenant_id = s.tenant_id and live.subscription_id = s.id and live.ended_at is null
    ) as i
)
select 'a live subscription has not exactly its one plan' as breach, tenant_id, id from subscription
where ended_at is null and (plans <> 1 or plan <> plan_key)
union all
select 'an ended subscription has live items', tenant_id, id from subscription
where ended_at is not null and items > 0
union all
select 'an item is not at a price of the subscription''s period', tenant_id, id from subscription
where other_periods > 0
union all
select 'the monthly worth is not that of the items', tenant_id, id from subscription
where mrr_cents <> case when status in ('active', 'past_due')
    then round(cents / case period when 'year' then 12.0 else 1 end) else 0 end
union all
select 'the monthly worth is not what its history adds up to', tenant_id, id from subscription
where mrr_cents <> noted_cents
union all
select 'paid up, but an invoice has failed', s.tenant_id, s.id from subscription s
where s.status in ('active', 'trialing') and exists (
    select from billing.invoices v where v.tenant_id = s.tenant_id and v.subscription_id = s.id
      and v.status = 'open' and v.attempts > 0)
union all
select 'an expired first invoice is not void', s.tenant_id, s.id from subscription s
where s.status = 'incomplete_expired' and exists (
    select from billing.invoices v where v.tenant_id = s.tenant_id and v.subscription_id = s.id
      and v.status <> 'void')
