-- billing.invoices: money balances: invoices agree with their lines, their payments, the refunds and the credits.
with invoice as not materialized (
    select v.*, (select coalesce(sum(l.amount_cents), 0) from billing.invoice_lines l
                 where l.tenant_id = v.tenant_id and l.invoice_id = v.id) as lines_cents,
           p.id as payment_id, p.status as payment_status, p.amount_cents, p.refunded_cents,
           (select coalesce(sum(r.amount_cents), 0) from billing.refunds r
            where r.tenant_id = v.tenant_id and r.payment_id = p.id and r.status <> 'failed') as refunds_cents
    from billing.invoices v
    left join billing.payments p on p.tenant_id = v.tenant_id and p.invoice_id = v.id
)
select 'the total is not the sum of the lines' as breach, tenant_id, id from invoice
where total_cents <> lines_cents
union all
select 'paid, but not by a payment of its total', tenant_id, id from invoice
where status = 'paid' and total_cents > 0
  and (payment_status is distinct from 'succeeded' or amount_cents is distinct from total_cents)
union all
select 'not paid, but there is money that was not given back', tenant_id, id from invoice
where status <> 'paid' and payment_status = 'succeeded' and refunded_cents < amount_cents
union all
select 'the payment disagrees with its refunds', tenant_id, payment_id from invoice
where payment_id is not null and refunded_cents <> refunds_cents
union all
select 'the payment disagrees with its attempts', p.tenant_id, p.id from billing.payments p
where p.status is distinct from (
    select a.status from billing.payment_attempts a
    where a.tenant_id = p.tenant_id and a.payment_id = p.id
    order by array_position('{succeeded,pending,failed}', a.status) limit 1)
union all
select 'more credit was given for an item than it was charged', l.tenant_id, l.item_id
from billing.invoice_lines l
join billing.invoices v on v.tenant_id = l.tenant_id and v.id = l.invoice_id
where l.kind <> 'balance' and v.status = 'paid'
group by l.tenant_id, l.item_id, l.period_end having sum(l.amount_cents) < 0
union all
select 'more credit was used than was carried forward', l.tenant_id, null
from billing.invoice_lines l
join billing.invoices v on v.tenant_id = l.tenant_id and v.id = l.invoice_id
where l.kind = 'balance' and v.status <> 'void'
group by l.tenant_id having sum(l.amount_cents) < 0
union all
select 'invoice numbers have gaps', v.tenant_id, null
from billing.invoices v group by v.tenant_id having max(v.number) <> count(*) or min(v.number) <> 1
