-- infrastructure.daily_sends: accounts together sent, day by day, what the tenant's campaigns sent, and had its bounces and complaints.
with both_sides as (
    select tenant_id, (occurred_at at time zone 'UTC')::date as day, kind, 1 as events, 0 as counted
    from sample_events
    where kind in ('sent', 'bounced', 'complained')
    union all
    select tenant_id, day, kind, 0, counted
    from infrastructure.daily_sends
    cross join lateral (values ('sent', sent), ('bounced', hard_bounces), ('complained', complaints)) as c (kind, counted)
)
select tenant_id, day, kind, sum(events) as events, sum(counted) as counted
from both_sides
group by tenant_id, day, kind
having sum(events) <> sum(counted)
