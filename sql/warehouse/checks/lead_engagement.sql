-- name: mart
select tenant_id, null::date as day, figure, sum(amount)::bigint as total
from (
    unpivot marts.lead_engagement
    on campaigns, sent, delivered, opened, clicked, replied, bounced, complained, unsubscribed
    into name figure value amount
)
group by all
union all
select tenant_id, null, 'leads', count(*) from marts.lead_engagement group by all;

-- name: staging
select tenant_id, null::date as day, 'leads' as figure, count(*) as total from staging.leads group by all
union all
select tenant_id, null, 'campaigns', count(*) from staging.enrollments group by all
union all
select tenant_id, null, kind, count(*) from staging.events
where kind not in ('opened', 'clicked', 'replied') or not automatic group by all;
