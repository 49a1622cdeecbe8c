-- What is owed for the spans of 40, how it was paid, and the history that this makes of the subscriptions.

-- Periods are billed when they begin; a change within one gives back what is left of the old item and
-- charges the rest of the new one, or a whole period when that begins anew. Nothing is billed in a trial.
create temp table plan_lines on commit drop as
select p.n, p.issued, case when p.creates then 'subscription_create' else 'subscription_cycle' end as reason,
       i.item, 'charge' as kind, i.unit_cents * i.quantity as amount, p.starts, p.ends
from plan_periods as p
join plan_items as i on i.n = p.n and i.starts <= p.starts and (i.ends is null or i.ends > p.starts)
where p.is_billed
union all
select m.n, m.at, 'subscription_update', i.item, 'credit',
       -billing.prorate(i.unit_cents * i.quantity, pg_temp.at(m.starts), pg_temp.at(m.ends), pg_temp.at(m.at)), m.at, m.ends
from plan_moves as m
join plan_items as i on i.n = m.n and i.ends = m.at
where m.kind in ('upgrade', 'switch')
union all
select m.n, m.at, 'subscription_update', i.item, 'charge',
       case m.kind when 'switch' then i.unit_cents * i.quantity
                   else billing.prorate(i.unit_cents * i.quantity, pg_temp.at(m.starts), pg_temp.at(m.ends), pg_temp.at(m.at))
       end, m.at, case m.kind when 'switch' then pg_temp.months_after(m.at, 1) else m.ends end
from plan_moves as m
join plan_items as i on i.n = m.n and i.starts = m.at
where m.kind in ('upgrade', 'switch', 'add_on') and m.starts is not null;

-- What would be negative is carried forward and used up: the balance is how far the sum of the invoices
-- lies above its lowest. One in twenty-five renewals is paid at a later attempt only, 99: never.
create temp table plan_invoices on commit drop as
with sums as (
    select n, issued, reason, sum(amount)::bigint as subtotal
    from plan_lines
    group by n, issued, reason
    having bool_or(amount <> 0)
), numbered as (
    select v.*, s.rank, s.tenant_id, s.seed, s.as_of, s.closing, s.fate, s.story, s.id as subscription_id,
           row_number() over by_tenant as number, row_number() over (order by v.n, v.issued) as invoice,
           -sum(subtotal) over by_tenant as credits
    from sums as v
    join plan_subscriptions as s using (n)
    window by_tenant as (partition by s.rank order by v.issued)
), balanced as (
    select *, credits - least(0, min(credits) over (partition by rank order by number)) as credit
    from numbered
), drawn as (
    select b.*, credit - coalesce(lag(credit) over (partition by rank order by number), 0) as balance,
           pg_temp.draw('invoices', b.invoice, b.seed) as h, p.starts, p.k, p.is_last and p.n is not null as is_last,
           exists (select from plan_moves as m where m.n = b.n and m.starts = p.starts) as is_changed
    from balanced as b
    left join plan_periods as p on p.n = b.n and p.issued = b.issued
)
select invoice, n, rank, tenant_id, subscription_id, number, issued, reason, subtotal, balance, subtotal + balance as total,
       h, as_of, seed, fate, story, is_changed, pg_temp.key(issued, h) as id,
       case when fate in ('unpaid', 'lost', 'expired', 'incomplete') and is_last then 99
            when reason = 'subscription_cycle' and k > 0 and not is_changed and (h & 1023) < 41
                 and issued + pg_temp.days(17) < closing then 1 + (h >> 10 & 65535) % 3
            else 0 end as fails
from drawn;

-- Charged within seconds, and told so by the provider; after a failure again after 1, 3, 5 and 7 days, but not
-- a first invoice.
create temp table plan_attempts on commit drop as
with waits as (
    select *, 2000 + (h >> 26 & 16383) as wait, 2000 + 1000 * (h >> 40 & 3) as charging
    from plan_invoices
    where total > 0
), tries as (
    select w.*, i, (issued + wait) / 1000 * 1000 + charging
               + pg_temp.days((array[0, 1, 4, 9, 16])[i + 1]) + i * (wait / 1000 * 1000 + charging) as occurred
    from waits as w
    cross join lateral generate_series(0, case when fate in ('expired', 'incomplete') and fails > 0 then 0
                                               else least(fails, 4) end) as i
), times as (
    select *, case i when 0 then issued + wait else occurred - charging + wait % 1000 end as created,
           occurred + 200 + (h >> 44 & 1023) as received
    from tries
), known as (
    select *, received + case story when 'renewing' then 60000 else 500 + (h >> 50 & 16383) end as processed
    from times
)
select invoice, tenant_id, rank, n, i, created, occurred, received, seed, h, fails, i = fails as succeeds,
       case when processed <= as_of then processed end as processed,
       pg_temp.key(created, pg_temp.draw('attempts', invoice * 8 + i, seed)) as id,
       (array['card_declined', 'insufficient_funds', 'expired_card'])[1 + (h >> 12 & 65535) % 3] as failure
from known
where created <= as_of;

analyze pg_temp.plan_subscriptions, pg_temp.plan_items, pg_temp.plan_lines, pg_temp.plan_invoices, pg_temp.plan_attempts;

-- When subscriptions ended.
create temp table plan_ends on commit drop as
with failed as (
    select n, max(occurred) as occurred from plan_attempts where fails = 99 group by n
)
select s.n, s.fate,
       case fate when 'deleted' then tenant_ended
                 when 'left' then p.ends + 1000 + (h & 16383)
                 when 'lost' then f.occurred + pg_temp.days(3)
                 when 'expired' then s.starts + 82800000 + 1000 + (h & 16383) end as ended,
       case fate when 'lost' then f.occurred + pg_temp.days(10) end as written_off
from plan_subscriptions as s
left join plan_periods as p on p.n = s.n and p.is_last
left join failed as f on f.n = s.n
where fate in ('deleted', 'left', 'lost', 'expired');

-- Every change, in order, with what the subscription is worth a month afterwards.
create temp table plan_changes on commit drop as
with events as (
    select n, starts as at, 0 as place, 'created' as kind, case when trial_ends is null then 'incomplete' else 'trialing' end as status
    from plan_subscriptions
    union all
    select s.n, coalesce(a.occurred, s.starts), 1, 'status', 'active'
    from plan_subscriptions as s
    left join plan_invoices as v on v.n = s.n and v.reason = 'subscription_create'
    left join plan_attempts as a on a.invoice = v.invoice
    where trial_ends is null and (a.succeeds or v.n is null)
    union all
    select n, issued, 1, 'renewed', 'active' from plan_periods where is_billed and not creates
    union all
    select n, occurred, 1, 'status', case when succeeds then 'active' when i = 4 then 'unpaid' else 'past_due' end
    from plan_attempts
    join plan_invoices using (n, invoice)
    where plan_invoices.fails > 0 and reason = 'subscription_cycle' and processed is not null
      and (succeeds or i in (0, 4))
    union all
    select m.n, m.at, 1, case kind when 'add_on' then 'add_on' when 'downgrade' then 'scheduled'
                                   when 'cancelling' then 'cancellation' when 'resumed' then 'cancellation'
                                   else 'plan' end,
           case when m.at < trial_ends then 'trialing' else 'active' end
    from plan_moves as m
    join plan_subscriptions as s using (n)
    union all
    select n, at + 3600000, 1, 'resumed', 'active' from plan_moves where kind = 'resumed'
    union all
    select n, trial_ends + 1000 + (h & 16383), 1, 'status', 'paused' from plan_subscriptions where fate = 'paused'
    union all
    select n, ended, 1, 'status', case fate when 'expired' then 'incomplete_expired' else 'canceled' end from plan_ends
), worth as (
    select row_number() over (order by e.n, e.at, e.place) as change, e.*,
           max(i.product_key) filter (where i.kind = 'plan') as plan_key,
           case when e.status in ('active', 'past_due')
                then round(sum(i.unit_cents * i.quantity) / case min(i.period) when 'year' then 12.0 else 1 end)::bigint
                else 0 end as mrr
    from events as e
    join plan_items as i on i.n = e.n and i.starts <= e.at and (i.ends is null or i.ends > e.at)
    group by e.n, e.at, e.place, e.kind, e.status
)
select *, mrr - lag(mrr, 1, 0::bigint) over by_time as delta, lead(change) over by_time is null as is_last
from worth
window by_time as (partition by n order by change);

insert into billing.customers (provider_id, owner_tenant_id, created_at)
select distinct on (rank) customer, tenant_id, pg_temp.at(starts)
from plan_subscriptions
where fate <> 'free'
order by rank, starts;

-- All are billed here: the provider only charges.
insert into billing.subscriptions
    (tenant_id, id, status, plan_key, period, payment_method, started_at, anchor_at, period_start, period_end,
     trial_ends_at, cancel_at_period_end, canceled_at, ended_at, mrr_cents, created_at, updated_at)
with shaped as (
    select n, max(at) as at
    from plan_changes
    group by n
), canceled as (
    select n, at from plan_moves where kind = 'cancelling'
)
select s.tenant_id, s.id, c.status, c.plan_key, coalesce(p.by, s.period_before),
       case when has_card then 'pm_' || to_hex(pg_temp.draw('payment methods', s.n, s.seed)) end,
       pg_temp.at(s.starts), pg_temp.at(coalesce(case p.run when 2 then s.changed end,
                                                 case when p.n is not null then s.trial_ends end, s.starts)),
       pg_temp.at(coalesce(p.starts, s.starts)), pg_temp.at(coalesce(p.ends, s.trial_ends)),
       pg_temp.at(trial_ends), x.at is not null, pg_temp.at(coalesce(x.at, case when c.status = 'canceled' then e.ended end)),
       pg_temp.at(e.ended), c.mrr,
       pg_temp.at(s.starts), pg_temp.at(h.at)
from plan_subscriptions as s
join plan_changes as c on c.n = s.n and c.is_last
join shaped as h on h.n = s.n
left join plan_periods as p on p.n = s.n and p.is_last
left join plan_ends as e on e.n = s.n
left join canceled as x on x.n = s.n
order by s.starts, s.n;

insert into billing.subscription_items
    (tenant_id, id, subscription_id, kind, product_key, price_key, unit_amount_cents, quantity, next_price_key, next_quantity,
     started_at, ended_at)
select s.tenant_id, i.id, s.id, i.kind, i.product_key, i.price_key, i.unit_cents, i.quantity, i.next_price_key,
       case when i.next_price_key is not null then 1 end, pg_temp.at(i.starts), pg_temp.at(coalesce(i.ends, e.ended))
from plan_items as i
join plan_subscriptions as s using (n)
left join plan_ends as e using (n)
order by i.starts, i.item;

-- The first of two at the same time has the lower key.
insert into billing.subscription_changes
    (tenant_id, id, subscription_id, kind, status, plan_key, mrr_cents, mrr_delta_cents, occurred_at)
select s.tenant_id, pg_temp.key(c.at, pg_temp.draw('changes', c.change, seed) >> 4 & x'0fffffffffffffff'::bigint
                                      | (c.place::bigint << 60)), s.id, c.kind, c.status,
       c.plan_key, c.mrr, c.delta, pg_temp.at(c.at)
from plan_changes as c
join plan_subscriptions as s using (n)
order by c.at / pg_temp.days(1), s.tenant_id, c.change;

insert into billing.invoices
    (tenant_id, id, subscription_id, number, reason, status, total_cents, issued_at, closed_at, attempts, next_attempt_at,
     updated_at)
with tried as (
    select invoice, count(*) filter (where processed is not null and not succeeds) as failures,
           max(occurred) filter (where processed is not null and not succeeds) as failed,
           max(occurred) filter (where processed is not null and succeeds) as paid,
           max(created) filter (where processed is null) as trying, max(processed) as processed
    from plan_attempts
    group by invoice
), states as (
    select v.*, t.failures, t.failed, t.trying, coalesce(t.processed, t.trying) as updated,
           case when v.total = 0 then v.issued else coalesce(t.paid, e.written_off, case e.fate when 'expired' then e.ended end)
           end as closed, t.paid is not null or v.total = 0 as is_paid, e.written_off is not null and v.fails = 99 as is_lost
    from plan_invoices as v
    left join tried as t using (invoice)
    left join plan_ends as e using (n)
)
select tenant_id, id, subscription_id, number, reason,
       case when is_paid then 'paid' when is_lost then 'uncollectible' when closed is not null then 'void' else 'open' end,
       total, pg_temp.at(issued), pg_temp.at(closed), coalesce(failures, 0),
       case when closed is null and fate <> 'incomplete'
            then pg_temp.at(case when trying is not null then trying + 600000
                                 when failures > 0 then failed + pg_temp.days((array[1, 3, 5, 7])[failures])
                                 else issued end) end,
       pg_temp.at(greatest(issued, updated, closed))
from states
order by issued / pg_temp.days(1), tenant_id, number;

insert into billing.invoice_lines (tenant_id, id, invoice_id, item_id, kind, amount_cents, period_start, period_end)
select v.tenant_id, pg_temp.key(v.issued, pg_temp.draw('lines ' || l.kind, v.invoice << 20 | coalesce(l.item, 0), v.seed)), v.id, i.id,
       l.kind, l.amount, pg_temp.at(l.starts), pg_temp.at(l.ends)
from (select n, issued, item, kind, amount, starts, ends from plan_lines
      union all
      select n, issued, null, 'balance', balance, null, null from plan_invoices where balance <> 0) as l
join plan_invoices as v using (n, issued)
left join plan_items as i on i.item = l.item
order by v.issued / pg_temp.days(1), v.tenant_id, v.number, l.item, l.kind;

-- One in a hundred payments was given back, half or all of it; of nine such, one failed and one is on its way.
create temp table plan_refunds on commit drop as
with paid as (
    select v.invoice, v.tenant_id, v.rank, v.seed, v.as_of, v.total, v.h, a.occurred,
           row_number() over (order by v.h >> 8) - 1 as place, count(*) over () as payments
    from plan_invoices as v
    join plan_attempts as a using (invoice)
    join plan_subscriptions as s on s.n = v.n
    where a.succeeds and a.processed is not null and not v.is_changed and v.reason = 'subscription_cycle'
      and s.tenant_status = 'active' and a.occurred < v.as_of - pg_temp.days(25)
), begun as (
    select *, case place % 9 when 2 then as_of - pg_temp.days(0.2 + 2 * pg_temp.share(h))
                             else occurred + pg_temp.days(1 + 9 * pg_temp.share(h)) end as created
    from paid
    where place < greatest(9, payments / 100)
)
select *, pg_temp.key(created, pg_temp.draw('refunds', invoice, seed)) as id, place % 9 = 1 as fails,
       case when h >> 8 & 1 = 0 then total else (total + 1) / 2 end as amount,
       case when place % 9 <> 2 then created / 1000 * 1000 + pg_temp.days(4) end as finished
from begun;

insert into billing.payments
    (tenant_id, id, invoice_id, amount_cents, refunded_cents, status, provider_id, created_at, succeeded_at, updated_at)
with tried as (
    select invoice, min(created) as created, max(occurred) filter (where succeeds and processed is not null) as paid,
           bool_or(processed is null) as pending, max(coalesce(processed, created)) as updated, count(processed) as known
    from plan_attempts
    group by invoice
)
select v.tenant_id, pg_temp.key(t.created, pg_temp.draw('payments', invoice, v.seed)), v.id, v.total,
       case when r.fails then 0 else coalesce(r.amount, 0) end,
       case when pending then 'pending' when paid is null then 'failed' else 'succeeded' end,
       case when known > 0 then 'pi_' || to_hex(pg_temp.draw('provider payments', invoice, v.seed)) end,
       pg_temp.at(t.created), pg_temp.at(paid), pg_temp.at(greatest(updated, r.created, case when r.fails then r.finished end))
from plan_invoices as v
join tried as t using (invoice)
left join plan_refunds as r using (invoice)
order by t.created / pg_temp.days(1), v.tenant_id, v.number;

insert into billing.payment_attempts
    (tenant_id, id, payment_id, idempotency_key, payment_method, status, failure_code, created_at, finished_at)
select a.tenant_id, a.id, p.id, v.id || '/' || a.i + 1, s.payment_method,
       case when a.processed is null then 'pending' when a.succeeds then 'succeeded' else 'failed' end,
       case when a.processed is not null and not a.succeeds then a.failure end, pg_temp.at(a.created),
       case when a.processed is not null then pg_temp.at(a.occurred) end
from plan_attempts as a
join plan_invoices as v using (invoice)
join billing.payments as p on p.tenant_id = v.tenant_id and p.invoice_id = v.id
join billing.subscriptions as s on s.tenant_id = v.tenant_id and s.id = v.subscription_id
order by a.created / pg_temp.days(1), a.tenant_id, v.number, a.i;

insert into billing.refunds
    (tenant_id, id, payment_id, idempotency_key, amount_cents, reason, status, provider_id, created_at, finished_at)
select r.tenant_id, r.id, p.id, 'support/' || r.invoice, r.amount,
       (array['duplicate', 'requested by the customer', 'outage'])[1 + (r.h & 65535) % 3],
       case when finished is null then 'pending' when r.fails then 'failed' else 'succeeded' end,
       case when finished is not null then 're_' || to_hex(pg_temp.draw('provider refunds', r.invoice, r.seed)) end,
       pg_temp.at(created), pg_temp.at(finished)
from plan_refunds as r
join plan_invoices as v using (invoice)
join billing.payments as p on p.tenant_id = v.tenant_id and p.invoice_id = v.id
order by created, r.invoice;
