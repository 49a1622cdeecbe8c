-- What each tenant's subscription brought at the end of a month (UTC), and what had moved it since the last.

-- name: keys
select distinct tenant_id from staging.subscription_changes;

-- name: touched_by_subscription_changes
-- The tenant's months, and when the last month of all is another one now, everybody's.
select tenant_id from delta_subscription_changes
union
select tenant_id from staging.subscription_changes
where (select max(date_trunc('month', occurred_at at time zone 'UTC')) from staging.subscription_changes)
    is distinct from (select max(month) from marts.revenue_monthly);

-- name: rows
with change as (
    select *, date_trunc('month', occurred_at at time zone 'UTC')::date as month
    from staging.subscription_changes
    semi join scope using (tenant_id)
), changed as (
    -- Added up, not the last value: changes of one moment have no order.
    select
        tenant_id,
        month,
        last(plan_key order by occurred_at, id) as plan_key,
        last(status order by occurred_at, id) as status,
        sum(mrr_delta_cents) as delta
    from change
    group by all
), calendar as (
    select
        tenant_id,
        unnest(generate_series(
            min(month),
            (select max(date_trunc('month', occurred_at at time zone 'UTC')) from staging.subscription_changes),
            interval '1 month'
        ))::date as month
    from changed
    group by tenant_id
), step as (
    select
        calendar.tenant_id,
        calendar.month,
        last_value(changed.plan_key ignore nulls) over upto as plan_key,
        last_value(changed.status ignore nulls) over upto as status,
        coalesce(changed.delta, 0) as delta,
        coalesce(sum(changed.delta) over upto, 0) as worth,
        coalesce(bool_or(changed.delta <> 0) over before, false) as paid_before
    from calendar
    left join changed on changed.tenant_id = calendar.tenant_id and changed.month = calendar.month
    window
        upto as (partition by calendar.tenant_id order by calendar.month),
        before as (
            partition by calendar.tenant_id order by calendar.month
            rows between unbounded preceding and 1 preceding
        )
)
select
    tenant_id,
    month,
    plan_key,
    status as subscription_status,
    (worth - delta)::bigint as mrr_start_cents,
    if(delta > 0 and worth <= delta and not paid_before, delta, 0)::bigint as new_cents,
    if(delta > 0 and worth <= delta and paid_before, delta, 0)::bigint as reactivation_cents,
    if(delta > 0 and worth > delta, delta, 0)::bigint as expansion_cents,
    if(delta < 0 and worth > 0, -delta, 0)::bigint as contraction_cents,
    if(delta < 0 and worth <= 0, -delta, 0)::bigint as churn_cents,
    worth::bigint as mrr_cents
from step
order by tenant_id, month;

-- name: comments
comment on table marts.revenue_monthly is 'What each tenant''s subscription brought at the end of a month (UTC), and what had moved it: mrr_cents = mrr_start_cents + new + reactivation + expansion - contraction - churn. A row for each month from the tenant''s first subscription to the last month in which any tenant''s changed. Changes within a month count by their sum.';
comment on column marts.revenue_monthly.tenant_id is 'The tenant.';  -- from subscription_changes.tenant_id
comment on column marts.revenue_monthly.month is 'First day of the month.';  -- from subscription_changes.occurred_at
comment on column marts.revenue_monthly.plan_key is 'Plan of its subscription at the end of the month.';  -- from subscription_changes.plan_key, subscription_changes.occurred_at
comment on column marts.revenue_monthly.subscription_status is 'Status of the subscription at the end of the month; active and past_due ones bring something.';  -- from subscription_changes.status, subscription_changes.occurred_at
comment on column marts.revenue_monthly.mrr_start_cents is 'Monthly recurring revenue at the end of the month before, in cents.';  -- from subscription_changes.mrr_delta_cents
comment on column marts.revenue_monthly.new_cents is 'What it brings for the first time, in cents.';  -- from subscription_changes.mrr_delta_cents
comment on column marts.revenue_monthly.reactivation_cents is 'What it brings again after nothing, in cents.';  -- from subscription_changes.mrr_delta_cents
comment on column marts.revenue_monthly.expansion_cents is 'How much more it brings than before, in cents.';  -- from subscription_changes.mrr_delta_cents
comment on column marts.revenue_monthly.contraction_cents is 'How much less it brings than before, in cents; positive.';  -- from subscription_changes.mrr_delta_cents
comment on column marts.revenue_monthly.churn_cents is 'What was lost as it brings nothing any more, in cents; positive.';  -- from subscription_changes.mrr_delta_cents
comment on column marts.revenue_monthly.mrr_cents is 'Monthly recurring revenue at the end of the month, in cents; trials and what is unpaid do not count.';  -- from subscription_changes.mrr_delta_cents
