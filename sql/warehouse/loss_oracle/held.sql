-- Who holds which rows: table, key, value.

-- name: oltp
select 'public.tenants', id::text, name from public.tenants
union all
select 'campaigns.campaigns', id::text, name from campaigns.campaigns
union all
select 'campaigns.leads', id::text, first_name from campaigns.leads
union all
select 'campaigns.events', id::text, extract(epoch from occurred_at)::bigint::text from campaigns.events;

-- name: warehouse
-- Of the mart its mails sent, by campaign.
select 'public.tenants', id::varchar, name from staging.tenants
union all
select 'campaigns.campaigns', id::varchar, name from staging.campaigns
union all
select 'campaigns.leads', id::varchar, first_name from staging.leads
union all
select 'campaigns.events', id::varchar, epoch(occurred_at)::bigint::varchar from staging.events
union all
select 'marts.campaign_daily', campaign_id::varchar, sum(sent)::varchar
from marts.campaign_daily group by campaign_id;
