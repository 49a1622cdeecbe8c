-- Row level security, and an explicit filter beside it.
\set tenant random_zipfian(1, :tenants, 1.1)
\startpipeline
select lab.enter_tenant(scratch_load.tenant(:tenant));
select
    c.id, c.name, c.started_at, n.enrolled, n.completed, e.sent, e.opened_by, e.clicked_by, e.replied_by, e.latest
from (
    select tenant_id, id, name, started_at
    from campaigns.campaigns
    where tenant_id = scratch_load.tenant(:tenant) and status = 'running'
    order by created_at desc
    limit 10
) as c
cross join lateral (
    select count(*) as enrolled, count(*) filter (where status = 'completed') as completed
    from campaigns.enrollments
    where tenant_id = scratch_load.tenant(:tenant) and campaign_id = c.id
) as n
cross join lateral (
    select
        count(*) filter (where kind = 'sent') as sent,
        count(distinct lead_id) filter (where kind = 'opened') as opened_by,
        count(distinct lead_id) filter (where kind = 'clicked') as clicked_by,
        count(distinct lead_id) filter (where kind = 'replied') as replied_by,
        max(occurred_at) as latest
    from campaigns.events
    where tenant_id = scratch_load.tenant(:tenant) and campaign_id = c.id
) as e
order by e.sent desc;
\endpipeline
