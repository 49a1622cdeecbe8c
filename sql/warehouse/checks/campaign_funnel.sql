-- The mart has no place for an event or an execution at a step of another campaign than its own. No
-- operation writes one (add_step, enroll_leads and advance keep to the campaign), no key forbids it: it
-- would show here.

-- name: mart
select tenant_id, null::date as day, figure, sum(amount)::bigint as total
from (
    unpivot marts.campaign_funnel on executed, skipped, waiting, sent, bounced, replied into name figure value amount
)
group by all
union all
select tenant_id, null, 'steps', count(*) from marts.campaign_funnel group by all;

-- name: staging
select tenant_id, null::date as day, 'steps' as figure, count(*) as total from staging.steps group by all
union all
select tenant_id, null, if(status = 'skipped', 'skipped', 'executed'), count(*)
from staging.step_executions group by all
union all
select tenant_id, null, 'waiting', count(*) from staging.enrollments where status = 'active' group by all
union all
select tenant_id, null, kind, count(*) from staging.events where kind in ('sent', 'bounced') group by all
union all
select tenant_id, null, 'replied', count(distinct (campaign_id, step_id, lead_id))
from staging.events where kind = 'replied' and not automatic group by all;
