-- name: mart
-- Recomputed from the movements, each month from the one before.
with movement as (
    select
        *, new_cents + reactivation_cents + expansion_cents - contraction_cents - churn_cents as moved,
        lag(mrr_cents, 1, 0) over (partition by tenant_id order by month) as before
    from marts.revenue_monthly
)
select tenant_id, 'cents of recurring revenue moved in ' || strftime(month, '%Y-%m') as figure,
       sum(moved)::bigint as total
from movement group by all
union all
select tenant_id, 'cents of recurring revenue in the end', arg_max(mrr_cents, month)
from movement group by tenant_id
union all
select tenant_id, 'months that do not follow from the one before', count(*)
from movement where mrr_start_cents <> before or mrr_cents <> before + moved group by all
union all
select tenant_id, 'months told twice', count(*) - count(distinct month) from movement group by all;

-- name: staging
select tenant_id, 'cents of recurring revenue moved in ' || strftime(occurred_at at time zone 'UTC', '%Y-%m') as figure,
       sum(mrr_delta_cents)::bigint as total
from staging.subscription_changes group by all
union all
select tenant_id, 'cents of recurring revenue in the end', sum(mrr_delta_cents)::bigint
from staging.subscription_changes group by tenant_id;
