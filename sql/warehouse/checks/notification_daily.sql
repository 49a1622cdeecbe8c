-- name: mart
select tenant_id, figure, sum(amount)::bigint as total
from (
    unpivot (select tenant_id, created, delivered - read as delivered, read, pending, failed, dead, attempts
             from marts.notification_daily)
    on columns(* exclude (tenant_id)) into name figure value amount
)
group by all;

-- name: staging
select tenant_id, status as figure, count(*) as total from staging.notifications group by all
union all
select tenant_id, 'created', count(*) from staging.notifications group by all
union all
select tenant_id, 'attempts', sum(attempts)::bigint from staging.notifications group by all;
