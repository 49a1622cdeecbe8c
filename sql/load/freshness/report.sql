-- What came of the mails of every tenant in the 90 days up to the newest of the sample data. The query mart of
-- results.sql asks the same of the warehouse.
\startpipeline
set local statement_timeout = '60s';
select tenant_id,
    count(*) filter (where kind = 'sent') as sent,
    count(*) filter (where kind = 'delivered') as delivered,
    count(*) filter (where kind = 'opened') as opened,
    count(*) filter (where kind = 'clicked') as clicked,
    count(*) filter (where kind = 'replied') as replied,
    count(distinct (campaign_id, (occurred_at at time zone 'UTC')::date)) as campaign_days
from campaigns.events
where occurred_at >= timestamptz '2025-10-03 00:00:00+00' and occurred_at < timestamptz '2026-01-01 00:00:00+00'
group by tenant_id
order by tenant_id;
\endpipeline
