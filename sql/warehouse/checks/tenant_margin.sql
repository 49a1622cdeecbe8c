-- name: mart
select tenant_id, if(figure in ('cents invoiced', 'cents outstanding'), month, null) as day, figure,
       sum(cents)::bigint as total
from (
    unpivot (select tenant_id, month, invoiced_cents as "cents invoiced", outstanding_cents as "cents outstanding",
                    collected_cents as "cents collected", refunded_cents as "cents refunded",
                    cost_cents as "cents of cost", margin_cents as "cents of margin"
             from marts.tenant_margin)
    on columns(* exclude (tenant_id, month)) into name figure value cents
)
group by all;

-- name: staging
-- The month of an invoice is its own; what it was paid, and what a cost was shared, is summed over all months.
with money as (
    select tenant_id, date_trunc('month', make_timestamp(epoch_us(issued_at)))::date as day,
           'cents invoiced' as figure, total_cents as cents, 0 as margin
    from staging.invoices where status <> 'void'
    union all
    select tenant_id, date_trunc('month', make_timestamp(epoch_us(issued_at)))::date,
           'cents outstanding', total_cents, 0
    from staging.invoices where status = 'open'
    union all
    select tenant_id, null, 'cents collected', amount_cents, 1 from staging.payments where status = 'succeeded'
    union all
    select tenant_id, null, 'cents refunded', refunded_cents, -1 from staging.payments where status = 'succeeded'
    union all
    select owner_tenant_id, null, 'cents of cost', cents, -1
    from staging.cost_shares where owner_tenant_id is not null
)
select tenant_id, day, figure, sum(cents)::bigint as total from money group by all
union all
select tenant_id, null, 'cents of margin', sum(margin * cents)::bigint from money group by tenant_id;
