-- campaigns.counters: the live counters of a campaign equal its events.
select tenant_id, campaign_id, kind, counted.total, happened.total as events
from (
    select c.tenant_id, c.campaign_id, c.kind, sum(c.total) as total
    from campaigns.counters as c
    join sample_campaigns as s on s.tenant_id = c.tenant_id and s.id = c.campaign_id
    group by c.tenant_id, c.campaign_id, c.kind
) as counted
full join (
    select tenant_id, campaign_id, kind, count(*) as total
    from sample_events
    group by tenant_id, campaign_id, kind
) as happened using (tenant_id, campaign_id, kind)
where counted.total is distinct from happened.total
