-- public.tenants: the scale's sizes are there: tenants in every status, users, leads, and running campaigns over as many tenants as the scale says.
with found (what, wanted, found) as (
    select 'tenants', tenants, (select count(*) from public.tenants) from made
    union all
    select 'statuses of tenants', 4, (select count(distinct status) from public.tenants)
    union all
    select 'users', users, (select count(*) from users.users) from made
    union all
    select 'leads', leads, (select count(*) from campaigns.leads) from made
    union all
    select 'running campaigns', running_campaigns,
           (select count(*) from sample_campaigns where status = 'running') from made
    union all
    select 'other campaigns', other_campaigns,
           (select count(*) from sample_campaigns where status <> 'running') from made
    union all
    select 'tenants with running campaigns', sending_tenants,
           (select count(distinct tenant_id) from sample_campaigns where status = 'running') from made
)
select * from found where found <> wanted
