-- What others extract by: each returns table, key, value and the cursor, after which it goes on. Of
-- the tables that have an updated_at; rows that are there already are replaced.

-- name: updated_at
with rows as (
    select 'campaigns.campaigns' as table_name, id, name as value, updated_at from campaigns.campaigns
    union all
    select 'campaigns.leads', id, first_name, updated_at from campaigns.leads
)
select table_name, id::text, value, updated_at::text from rows
where updated_at > coalesce(%(cursor)s::timestamptz, '-infinity')
order by updated_at;

-- name: updated_at_with_a_lag_of_1_s
with rows as (
    select 'campaigns.campaigns' as table_name, id, name as value, updated_at from campaigns.campaigns
    union all
    select 'campaigns.leads', id, first_name, updated_at from campaigns.leads
)
select table_name, id::text, value, updated_at::text from rows
where updated_at > coalesce(%(cursor)s::timestamptz - interval '1 second', '-infinity')
order by updated_at;

-- name: transaction_id
with rows as (
    select 'campaigns.campaigns' as table_name, id, name as value, change_xid from campaigns.campaigns
    union all
    select 'campaigns.leads', id, first_name, change_xid from campaigns.leads
)
select table_name, id::text, value, change_xid::text from rows
where change_xid > coalesce(%(cursor)s::bigint, 0)
order by change_xid;
