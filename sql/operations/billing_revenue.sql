-- What the business asks: monthly recurring revenue, what moved it, and the cash behind it.

create function billing.mrr(at timestamptz default now())
    returns table (plan_key text, subscriptions bigint, mrr_cents bigint)
    language sql stable
begin atomic
    select latest.plan_key, count(*), sum(latest.mrr_cents)::bigint
    from (-- Added up, not the last value: changes of one moment have no order.
          select (array_agg(c.plan_key order by c.occurred_at desc, c.id desc))[1] as plan_key,
                 sum(c.mrr_delta_cents) as mrr_cents
          from billing.subscription_changes c
          where c.occurred_at <= at
          group by c.tenant_id, c.subscription_id) as latest
    where latest.mrr_cents > 0
    group by latest.plan_key
    order by 3 desc, 1;
end;
comment on function billing.mrr(timestamptz) is
    'lab_platform: monthly recurring revenue by plan, as it was at a time; trials and what is unpaid do not count.';

-- A tenant that comes back from nothing is reactivated, whether with its old subscription or another.
create function billing.mrr_movements(since timestamptz, until timestamptz)
    returns table (month timestamptz, new_cents bigint, reactivation_cents bigint, expansion_cents bigint,
                   contraction_cents bigint, churn_cents bigint, mrr_cents bigint)
    language sql stable
begin atomic
    with tenant_month as (
        select c.tenant_id, date_trunc('month', c.occurred_at, 'UTC') as month, sum(c.mrr_delta_cents) as delta
        from billing.subscription_changes c
        where c.occurred_at < until
        group by 1, 2
    ), step as (
        select t.*, sum(t.delta) over w as worth, sum(t.delta) over w - t.delta as before,
               coalesce(max(abs(t.delta)) over (w rows between unbounded preceding and 1 preceding), 0) > 0 as paid_before
        from tenant_month t
        window w as (partition by t.tenant_id order by t.month)
    ), movement as (
        select s.month,
               sum(s.delta) filter (where s.before = 0 and s.delta > 0 and not s.paid_before)  as begun,
               sum(s.delta) filter (where s.before = 0 and s.delta > 0 and s.paid_before)      as back,
               sum(s.delta) filter (where s.before > 0 and s.delta > 0)                        as more,
               sum(s.delta) filter (where s.before > 0 and s.delta < 0 and s.worth > 0)        as less,
               sum(s.delta) filter (where s.before > 0 and s.delta < 0 and s.worth = 0)        as gone,
               sum(s.delta) as delta
        from step s group by s.month
    ), total as (
        select m.*, sum(m.delta) over (order by m.month) as worth from movement m
    )
    select t.month, coalesce(t.begun, 0)::bigint, coalesce(t.back, 0)::bigint, coalesce(t.more, 0)::bigint,
           coalesce(t.less, 0)::bigint, coalesce(t.gone, 0)::bigint, t.worth::bigint
    from total t
    where t.month >= date_trunc('month', since, 'UTC')
    order by t.month;
end;
comment on function billing.mrr_movements(timestamptz, timestamptz) is
    'lab_platform: by calendar month (UTC), what new and returning tenants, expansion, contraction and churn did to the recurring revenue, and what it came to.';

create function billing.revenue(since timestamptz, until timestamptz)
    returns table (month timestamptz, invoices bigint, invoiced_cents bigint, collected_cents bigint,
                   refunded_cents bigint, outstanding_cents bigint)
    language sql stable
begin atomic
    select date_trunc('month', v.issued_at, 'UTC'), count(*),
           coalesce(sum(v.total_cents) filter (where v.status <> 'void'), 0)::bigint,
           coalesce(sum(p.amount_cents), 0)::bigint, coalesce(sum(p.refunded_cents), 0)::bigint,
           coalesce(sum(v.total_cents) filter (where v.status = 'open'), 0)::bigint
    from billing.invoices v
    left join billing.payments p on p.tenant_id = v.tenant_id and p.invoice_id = v.id and p.status = 'succeeded'
    where v.issued_at >= since and v.issued_at < until
    group by 1
    order by 1;
end;
comment on function billing.revenue(timestamptz, timestamptz) is
    'lab_platform: by the month of the invoice (UTC): what was invoiced, collected and refunded of it, and what is still open.';

revoke execute on all functions in schema billing from public;
grant execute on function billing.mrr(timestamptz), billing.mrr_movements(timestamptz, timestamptz),
    billing.revenue(timestamptz, timestamptz) to lab_platform, lab_analytics;
