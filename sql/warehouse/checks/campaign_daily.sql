-- name: mart
select tenant_id, day, kind as figure, sum(events)::bigint as total
from (
    unpivot marts.campaign_daily
    on sent, delivered, opened, clicked, replied, bounced, complained, unsubscribed
    into name kind value events
)
group by all;

-- name: staging
select tenant_id, make_timestamp(epoch_us(occurred_at))::date as day, kind as figure, count(*) as total
from staging.events group by all;
