-- name: mart
-- Recomputed from the movements, each month from the one before.
with movement as (
    select
        *, new_cents + reactivation_cents + expansion_cents - contraction_cents - churn_cents as moved,
        lag(mrr_cents, 1, 0) over (partition by tenant_id order by month) as before
    from marts.revenue_monthly
)
select tenant_id, month as day, 'cents of recurring revenue moved that month' as figure, sum(moved)::bigint as total
from movement group by all
union all
select tenant_id, null, 'cents of recurring revenue in the end', arg_max(mrr_cents, month)
from movement group by tenant_id
union all
select tenant_id, month, 'months that do not follow from the one before', count(*)
from movement where mrr_start_cents <> before or mrr_cents <> before + moved group by all
union all
select tenant_id, month, 'months told twice', count(*) - 1 from movement group by all;

-- name: staging
select tenant_id, date_trunc('month', make_timestamp(epoch_us(occurred_at)))::date as day,
       'cents of recurring revenue moved that month' as figure, sum(mrr_delta_cents)::bigint as total
from staging.subscription_changes group by all
union all
select tenant_id, null, 'cents of recurring revenue in the end', sum(mrr_delta_cents)::bigint
from staging.subscription_changes group by tenant_id;
