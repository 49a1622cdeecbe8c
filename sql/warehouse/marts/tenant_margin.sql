-- What each tenant paid for a month (UTC), what its infrastructure cost in it, and what that leaves.

-- name: keys
select tenant_id, date_trunc('month', issued_at at time zone 'UTC')::date as month from staging.invoices
union
select share.owner_tenant_id, date_trunc('month', cost.starts_on)::date
from staging.cost_shares as share
join staging.costs as cost on cost.id = share.cost_id
where share.owner_tenant_id is not null;

-- name: touched_by_invoices
select tenant_id, date_trunc('month', issued_at at time zone 'UTC')::date as month from delta_invoices;

-- name: touched_by_payments
select invoice.tenant_id, date_trunc('month', invoice.issued_at at time zone 'UTC')::date as month
from delta_payments as delta
join staging.invoices as invoice on invoice.tenant_id = delta.tenant_id and invoice.id = delta.invoice_id;

-- name: touched_by_cost_shares
select delta.owner_tenant_id as tenant_id, date_trunc('month', cost.starts_on)::date as month
from delta_cost_shares as delta
join staging.costs as cost on cost.id = delta.cost_id
where delta.owner_tenant_id is not null;

-- name: touched_by_costs
-- Who bears it now, and who had a cost in that month before.
select share.owner_tenant_id as tenant_id, date_trunc('month', delta.starts_on)::date as month
from delta_costs as delta
join staging.cost_shares as share on share.cost_id = delta.id
where share.owner_tenant_id is not null
union all
select mart.tenant_id, mart.month
from marts.tenant_margin as mart
semi join delta_costs as delta on date_trunc('month', delta.starts_on) = mart.month;

-- name: rows
with moved as (
    select
        invoice.tenant_id,
        date_trunc('month', invoice.issued_at at time zone 'UTC')::date as month,
        if(invoice.status = 'void', 0, invoice.total_cents) as invoiced_cents,
        if(invoice.status = 'open', invoice.total_cents, 0) as outstanding_cents,
        coalesce(payment.amount_cents, 0) as collected_cents,
        coalesce(payment.refunded_cents, 0) as refunded_cents,
        0 as cost_cents
    from staging.invoices as invoice
    semi join scope
        on scope.tenant_id = invoice.tenant_id
        and scope.month = date_trunc('month', invoice.issued_at at time zone 'UTC')
    left join staging.payments as payment
        on payment.tenant_id = invoice.tenant_id and payment.invoice_id = invoice.id
        and payment.status = 'succeeded'
    union all
    select share.owner_tenant_id, date_trunc('month', cost.starts_on)::date, 0, 0, 0, 0, share.cents
    from staging.cost_shares as share
    join staging.costs as cost on cost.id = share.cost_id
    semi join scope
        on scope.tenant_id = share.owner_tenant_id and scope.month = date_trunc('month', cost.starts_on)
), monthly as (
    select
        tenant_id,
        month,
        sum(invoiced_cents)::bigint as invoiced_cents,
        sum(outstanding_cents)::bigint as outstanding_cents,
        sum(collected_cents)::bigint as collected_cents,
        sum(refunded_cents)::bigint as refunded_cents,
        sum(cost_cents)::bigint as cost_cents
    from moved
    group by all
)
select
    tenant_id,
    month,
    invoiced_cents,
    outstanding_cents,
    collected_cents,
    refunded_cents,
    collected_cents - refunded_cents as revenue_cents,
    cost_cents,
    collected_cents - refunded_cents - cost_cents as margin_cents,
    (collected_cents - refunded_cents - cost_cents) / nullif(collected_cents - refunded_cents, 0) as margin_rate
from monthly
order by tenant_id, month;

-- name: comments
comment on table marts.tenant_margin is 'What each tenant paid for a month (UTC), what its infrastructure cost in it, and what that leaves, in cents. Revenue is what was paid of the invoices issued in the month, whenever it was, less refunds; a year paid at once counts in its first month (what it brings a month is in revenue_monthly). What the platform bears itself is in cost_monthly.';
comment on column marts.tenant_margin.tenant_id is 'The tenant.';  -- from invoices.tenant_id, cost_shares.owner_tenant_id
comment on column marts.tenant_margin.month is 'First day of the month in which invoices were issued, or the first day of costs lies.';  -- from invoices.issued_at, costs.starts_on
comment on column marts.tenant_margin.invoiced_cents is 'Invoiced in the month, void invoices left out.';  -- from invoices.total_cents, invoices.status
comment on column marts.tenant_margin.outstanding_cents is 'Of that, still open now.';  -- from invoices.total_cents, invoices.status
comment on column marts.tenant_margin.collected_cents is 'Of that, paid by now.';  -- from payments.amount_cents, payments.status
comment on column marts.tenant_margin.refunded_cents is 'Of what was paid, refunded or being refunded now.';  -- from payments.refunded_cents, payments.status
comment on column marts.tenant_margin.revenue_cents is 'collected_cents - refunded_cents.';  -- from payments.amount_cents, payments.refunded_cents, payments.status
comment on column marts.tenant_margin.cost_cents is 'Infrastructure that the tenant used or held.';  -- from cost_shares.cents
comment on column marts.tenant_margin.margin_cents is 'revenue_cents - cost_cents.';  -- from payments.amount_cents, payments.refunded_cents, payments.status, cost_shares.cents
comment on column marts.tenant_margin.margin_rate is 'margin_cents per revenue_cents; null without revenue.';  -- from payments.amount_cents, payments.refunded_cents, payments.status, cost_shares.cents
