-- What a tenant's dashboard asks for: what its campaigns count, and what came in within the last quarter of an hour.
-- As the view campaigns.live_metrics has it, but events happen by the clock of the run, in another year than ours.
\set person random(1, :leads)
\startpipeline
select lab.enter_tenant(scratch_load.sender_of(:person));
select counted.campaign_id, counted.kind, coalesce(recent.events, 0) as last_15_minutes, counted.total
from (
    select campaign_id, kind, sum(total)::bigint as total
    from campaigns.counters
    where tenant_id = scratch_load.sender_of(:person)
    group by campaign_id, kind
) as counted
left join (
    select campaign_id, kind, count(*) as events
    from campaigns.events
    where tenant_id = scratch_load.sender_of(:person)
        and id >= lab.first_uuid_of(now() - interval '16 minutes')
        and occurred_at > (select scratch_load.clock() - interval '15 minutes')
    group by campaign_id, kind
) as recent using (campaign_id, kind);
\endpipeline
