-- name: mart
select tenant_id, day, figure, sum(amount)::bigint as total
from (
    unpivot marts.deliverability_daily on sent, delivered, soft_bounces, hard_bounces, complaints
    into name figure value amount
)
group by all;

-- name: staging
-- Delivered are those of accounts and days of which the events are still there.
select tenant_id, day, figure, sum(amount)::bigint as total
from (
    unpivot staging.daily_sends on sent, soft_bounces, hard_bounces, complaints into name figure value amount
)
group by all
union all
select tenant_id, day, 'delivered', sum(delivered)::bigint
from (
    select tenant_id, day, sum(delivered) as delivered
    from (
        select tenant_id, email_account_id, day, sent, 0 as delivered from staging.daily_sends
        union all
        select tenant_id, email_account_id, make_timestamp(epoch_us(occurred_at))::date,
               if(kind = 'sent', -1, 0), if(kind = 'delivered', 1, 0)
        from staging.events where email_account_id is not null
    )
    group by tenant_id, email_account_id, day
    having sum(sent) = 0
)
group by all;
