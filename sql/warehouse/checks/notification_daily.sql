-- name: mart
select tenant_id, day, figure, sum(amount)::bigint as total
from (
    unpivot (select tenant_id, day, created, delivered - read as delivered, read, pending, failed, dead, attempts
             from marts.notification_daily)
    on columns(* exclude (tenant_id, day)) into name figure value amount
)
group by all;

-- name: staging
with notification as (
    select tenant_id, make_timestamp(epoch_us(created_at))::date as day, status, attempts from staging.notifications
)
select tenant_id, day, status as figure, count(*) as total from notification group by all
union all
select tenant_id, day, 'created', count(*) from notification group by all
union all
select tenant_id, day, 'attempts', sum(attempts)::bigint from notification group by all;
