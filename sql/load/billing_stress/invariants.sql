-- What must hold of the run's own tenants after every arm; each query returns the rows that break it.

-- name: invoices_balance
-- Invoices are the sum of their lines, and what was invoiced is paid, still owed or carried: to the cent.
with invoice as (
    select v.*, coalesce(l.cents, 0) as lines_cents, p.amount_cents, p.refunded_cents, p.status as payment_status
    from billing.invoices v
    join scratch_load.accounts a using (tenant_id)
    left join lateral (select sum(l.amount_cents) as cents from billing.invoice_lines l
                       where l.tenant_id = v.tenant_id and l.invoice_id = v.id) as l on true
    left join billing.payments p on p.tenant_id = v.tenant_id and p.invoice_id = v.id
)
select 'the total is not the sum of the lines', tenant_id, id, total_cents, lines_cents from invoice
where total_cents <> lines_cents
union all
select 'paid, but not by a payment of the total', tenant_id, id, total_cents, amount_cents from invoice
where status = 'paid' and total_cents > 0
  and (payment_status, amount_cents) is distinct from ('succeeded', total_cents)
union all
select 'not paid, but money was kept', tenant_id, id, total_cents, amount_cents from invoice
where status <> 'paid' and payment_status = 'succeeded' and refunded_cents < amount_cents
union all
select 'lines, payments and what is open disagree', tenant_id, null, sum(lines_cents),
       sum(amount_cents) filter (where status = 'paid') + sum(total_cents) filter (where status = 'open')
from invoice
where status in ('open', 'paid')
group by tenant_id
having sum(lines_cents) <> coalesce(sum(amount_cents) filter (where payment_status = 'succeeded'), 0)
                         + coalesce(sum(total_cents) filter (where status = 'open'), 0);

-- name: invoices_numbered
select 'invoice numbers have gaps', v.tenant_id, count(*), max(v.number)
from billing.invoices v join scratch_load.accounts a using (tenant_id)
group by v.tenant_id having max(v.number) <> count(*) or min(v.number) <> 1;

-- name: credit_covered
select 'more credit was used than was carried forward', l.tenant_id, sum(l.amount_cents)
from billing.invoice_lines l
join scratch_load.accounts a using (tenant_id)
join billing.invoices v on v.tenant_id = l.tenant_id and v.id = l.invoice_id and v.status <> 'void'
where l.kind = 'balance'
group by l.tenant_id having sum(l.amount_cents) < 0;

-- name: captured_once
-- By the provider's books, which know nothing of ours but the keys.
with captured as (
    select tenant_id, invoice_id, count(*) as times, sum(amount_cents) as cents
    from scratch_load.captures group by tenant_id, invoice_id
), paid as (
    select p.tenant_id, p.invoice_id, p.amount_cents
    from billing.payments p join scratch_load.accounts a using (tenant_id)
    where p.status = 'succeeded'
)
select 'captured more than once', tenant_id, invoice_id, times, cents from captured where times > 1
union all
select 'taken as paid, but not or otherwise captured', p.tenant_id, p.invoice_id, p.amount_cents, c.cents
from paid p left join captured c using (tenant_id, invoice_id)
where c.cents is distinct from p.amount_cents
union all
-- What a lost worker has captured is told when its lease has run out; an attempt is pending until then.
select 'captured, and nobody knows', c.tenant_id, c.invoice_id, c.times, c.cents
from captured c
where not exists (select from billing.payments p
                  where p.tenant_id = c.tenant_id and p.invoice_id = c.invoice_id and p.status <> 'failed')
union all
select 'several attempts succeeded', t.tenant_id, t.payment_id, count(*), null
from billing.payment_attempts t join scratch_load.accounts a using (tenant_id)
where t.status = 'succeeded'
group by t.tenant_id, t.payment_id having count(*) > 1;

-- name: refunds_covered
select 'the payment disagrees with its refunds', p.tenant_id, p.id, p.amount_cents, p.refunded_cents, r.cents
from billing.payments p
join scratch_load.accounts a using (tenant_id)
left join lateral (select sum(r.amount_cents) as cents from billing.refunds r
                   where r.tenant_id = p.tenant_id and r.payment_id = p.id and r.status <> 'failed') as r on true
where p.refunded_cents <> coalesce(r.cents, 0) or p.refunded_cents > p.amount_cents;

-- name: limits_kept
-- At the edge the limit never changes; elsewhere a grant may only be followed by a lower one.
select 'granted beyond the limit', c.tenant_id, c.feature_key, sum(c.overshot)
from scratch_load.consumption c
where c.overshot > 0
group by c.tenant_id, c.feature_key
union all
select 'more was granted than there is', c.tenant_id, c.feature_key, sum(c.granted - c.released)
from scratch_load.consumption c
where c.feature_key = 'leads'
group by c.tenant_id, c.feature_key
having sum(c.granted - c.released) > billing.entitlement(c.tenant_id, c.feature_key, scratch_load.clock())
union all
select 'more is used than there is', u.tenant_id, u.feature_key, u.used
from billing.usage_counters u join scratch_load.accounts a using (tenant_id)
where u.feature_key = 'leads' and u.used > u.maximum;

-- name: usage_granted
-- The counters of all months together are what the sessions noted that they were granted.
with counted as (
    select u.tenant_id, u.feature_key, sum(u.used) as used
    from billing.usage_counters u join scratch_load.accounts a using (tenant_id)
    group by u.tenant_id, u.feature_key
), noted as (
    select tenant_id, feature_key, sum(granted - released) as held
    from scratch_load.consumption where feature_key <> 'unchecked' group by tenant_id, feature_key
)
select 'the counter is not what was granted', tenant_id, feature_key, c.used, n.held
from counted c full join noted n using (tenant_id, feature_key)
where coalesce(c.used, 0) <> coalesce(n.held, 0);

-- name: one_subscription
select 'not one plan in one live subscription', s.tenant_id, count(distinct s.id), count(i.id)
from billing.subscriptions s
join scratch_load.accounts a using (tenant_id)
left join billing.subscription_items i
    on i.tenant_id = s.tenant_id and i.subscription_id = s.id and i.kind = 'plan' and i.ended_at is null
where s.ended_at is null
group by s.tenant_id
having count(distinct s.id) <> 1 or count(i.id) <> 1 or min(i.product_key) <> min(s.plan_key)
union all
select 'an ended subscription goes on being billed', i.tenant_id, null, count(*)
from billing.subscription_items i
join scratch_load.accounts a using (tenant_id)
join billing.subscriptions s on s.tenant_id = i.tenant_id and s.id = i.subscription_id
where s.ended_at is not null and i.ended_at is null
group by i.tenant_id;

-- name: prorations
-- Each line is for its part of the period, to the cent: of lines since the period was last counted anew.
-- No credit exceeds what the item was charged with.
with line as (
    select l.*, i.unit_amount_cents * i.quantity as full_cents,
           date_add(s.anchor_at, make_interval(months =>
               (12 * (extract(year from l.period_end at time zone 'UTC') - extract(year from s.anchor_at at time zone 'UTC'))
                + extract(month from l.period_end at time zone 'UTC')
                - extract(month from s.anchor_at at time zone 'UTC'))::integer
               - case p.period when 'year' then 12 else 1 end), 'UTC') as full_start
    from billing.invoice_lines l
    join scratch_load.accounts a using (tenant_id)
    join billing.subscription_items i on i.tenant_id = l.tenant_id and i.id = l.item_id
    join billing.subscriptions s on s.tenant_id = i.tenant_id and s.id = i.subscription_id
    join billing.prices p on p.key = i.price_key
    where l.period_start >= s.anchor_at
), part as (
    select *, billing.prorate(full_cents, full_start, period_end, period_start) as cents from line
)
select 'a charge is not its part of the period', tenant_id, id, amount_cents, cents from part
where kind = 'charge' and amount_cents <> cents
union all
select 'a credit is more than its part of the period', tenant_id, id, amount_cents, cents from part
where kind = 'credit' and -amount_cents > cents
union all
select 'more was credited than charged', l.tenant_id, l.item_id, sum(l.amount_cents), null
from line l
join billing.invoices v on v.tenant_id = l.tenant_id and v.id = l.invoice_id and v.status = 'paid'
group by l.tenant_id, l.item_id, l.period_end having sum(l.amount_cents) < 0;

-- name: changes_chained
-- Changes of one moment have no order, but each begins with what another ended with: of every worth as
-- many ends as begins, but one end more of the last and one begin more of nothing.
with change as (
    select c.* from billing.subscription_changes c join scratch_load.accounts a using (tenant_id)
), worth as (
    select tenant_id, subscription_id, mrr_cents as cents, 1 as balance from change
    union all
    select tenant_id, subscription_id, mrr_cents - mrr_delta_cents, -1 from change
    union all
    select tenant_id, id, 0, 1 from billing.subscriptions join scratch_load.accounts a using (tenant_id)
    union all
    select tenant_id, id, mrr_cents, -1 from billing.subscriptions join scratch_load.accounts a using (tenant_id)
), item as (
    select i.*, s.started_at as since,
           lag(i.ended_at) over (partition by i.tenant_id, i.subscription_id order by i.started_at, i.ended_at) as before_it
    from billing.subscription_items i
    join scratch_load.accounts a using (tenant_id)
    join billing.subscriptions s on s.tenant_id = i.tenant_id and s.id = i.subscription_id
    where i.kind = 'plan'
)
select 'the history has a break', tenant_id, subscription_id, cents, sum(balance) from worth
group by tenant_id, subscription_id, cents having sum(balance) <> 0
union all
select 'not begun once', tenant_id, subscription_id, count(*), null from change
group by tenant_id, subscription_id having count(*) filter (where kind = 'created') <> 1
union all
select 'the plans leave a gap', tenant_id, subscription_id, null, null from item
where started_at <> coalesce(before_it, since);

-- name: sample_data_untouched
-- The workers look for what is due across tenants: by the run's clock nothing else is.
select 'a worker touched a tenant of the sample data', c.tenant_id, c.invoice_id
from scratch_load.captures c
join public.tenants t on t.id = c.tenant_id
where t.name not like 'load:%'
union all
select 'the clock has come to the sample data', null, null
where exists (select from public.tenants t
              join billing.subscriptions s on s.tenant_id = t.id
              where t.name not like 'load:%' and s.started_at <= scratch_load.clock());
