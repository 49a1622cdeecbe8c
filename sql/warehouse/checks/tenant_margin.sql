-- name: mart
select tenant_id, figure, sum(cents)::bigint as total
from (
    unpivot (select tenant_id, invoiced_cents as "cents invoiced", outstanding_cents as "cents outstanding",
                    collected_cents as "cents collected", refunded_cents as "cents refunded",
                    cost_cents as "cents of cost", margin_cents as "cents of margin"
             from marts.tenant_margin)
    on columns(* exclude (tenant_id)) into name figure value cents
)
group by all;

-- name: staging
with money as (
    select tenant_id, 'cents invoiced' as figure, total_cents as cents, 0 as margin
    from staging.invoices where status <> 'void'
    union all
    select tenant_id, 'cents outstanding', total_cents, 0 from staging.invoices where status = 'open'
    union all
    select tenant_id, 'cents collected', amount_cents, 1 from staging.payments where status = 'succeeded'
    union all
    select tenant_id, 'cents refunded', refunded_cents, -1 from staging.payments where status = 'succeeded'
    union all
    select owner_tenant_id, 'cents of cost', cents, -1 from staging.cost_shares where owner_tenant_id is not null
)
select tenant_id, figure, sum(cents)::bigint as total from money group by all
union all
select tenant_id, 'cents of margin', sum(margin * cents)::bigint from money group by all;
