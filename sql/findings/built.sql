-- What was built. From the newest run that counted rows.

-- name: card
with sizes as (
    select
        run_id, any_value(scale) as scale, count(*) as tables, sum(rows)::bigint as rows,
        sum(bytes) / 1e6 as megabytes,
        coalesce(max(rows) filter (table_name = 'public.tenants'), 0) as tenants,
        coalesce(max(rows) filter (table_name = 'users.users'), 0) as users,
        coalesce(max(rows) filter (table_name = 'campaigns.campaigns'), 0) as campaigns,
        coalesce(max(rows) filter (table_name = 'campaigns.leads'), 0) as leads
    from tables
    where run_id = (select arg_max(run_id, recorded_at) from tables)
    group by run_id
), judged as (
    select
        *,
        tenants >= 2000 and users >= 1000 and campaigns >= 5000 and leads >= 100000 as large
    from sizes
)
select
    run_id, tenants, users, campaigns, leads, rows, megabytes,
    'Is the platform as large as the challenge asks?' as question,
    if(large, 'It is', 'Smaller') as verdict,
    if(large, 'good', 'fair') as tone,
    format('{:,} rows in {} tables, scale {}', rows, tables, scale) as headline,
    format('{:,} tenants, {:,} campaigns, {:,} leads', tenants, campaigns, leads) as effect,
    format('{:,} rows in {} tables, {:,.0f} MB with indexes.', rows, tables, megabytes) as evidence,
    'Asked for are 2,000 tenants, 1,000 users, 5,000 campaigns and 100,000 leads.' as correctness,
    if(
        large, 'Take the other figures of this page for figures of this size.',
        'Figures at this scale show that it works, not how it scales.'
    ) as advice,
    if(large, 'SCALE is less than challenge.', 'SCALE is challenge.') as flips
from judged;

-- name: table_rows_and_size_with_indexes
select
    table_name as "table", rows as "rows", round(bytes / 1e6, 1) as "size, MB",
    round(100.0 * bytes / sum(bytes) over (), 1) as "share, %"
from tables
where run_id = (select arg_max(run_id, recorded_at) from tables)
order by bytes desc, table_name;
