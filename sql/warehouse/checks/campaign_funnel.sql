-- name: mart
select tenant_id, figure, sum(amount)::bigint as total
from (
    unpivot marts.campaign_funnel on executed, skipped, waiting, sent, bounced, replied into name figure value amount
)
group by all
union all
select tenant_id, 'steps', count(*) from marts.campaign_funnel group by all;

-- name: staging
select tenant_id, 'steps' as figure, count(*) as total from staging.steps group by all
union all
select tenant_id, if(status = 'skipped', 'skipped', 'executed'), count(*) from staging.step_executions group by all
union all
select tenant_id, 'waiting', count(*) from staging.enrollments where status = 'active' group by all
union all
select tenant_id, kind, count(*) from staging.events where kind in ('sent', 'bounced') group by all
union all
select tenant_id, 'replied', count(distinct (campaign_id, step_id, lead_id))
from staging.events where kind = 'replied' and not automatic group by all;
