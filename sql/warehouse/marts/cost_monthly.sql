-- What the infrastructure cost in a month, by who bore it: each tenant, and the platform what no tenant did.

-- name: keys
select distinct date_trunc('month', starts_on)::date as month from staging.costs;

-- name: touched_by_costs
select date_trunc('month', starts_on)::date as month from delta_costs;

-- name: touched_by_cost_shares
select date_trunc('month', cost.starts_on)::date as month
from delta_cost_shares as delta
join staging.costs as cost on cost.id = delta.cost_id;

-- name: rows
with cost as (
    select *, date_trunc('month', starts_on)::date as month
    from staging.costs
    semi join scope on scope.month = date_trunc('month', costs.starts_on)
), share as (
    select
        cost.month,
        cost.smtp_ip_id is null as is_server,
        share.owner_tenant_id as tenant_id,
        case
            when share.owner_tenant_id is null and share.smtp_ip_id is not null then 'former'
            when share.email_account_id is not null then 'used'
            when share.smtp_ip_id is not null then 'held'
            else 'idle'
        end as reason,
        share.cents
    from staging.cost_shares as share
    join cost on cost.id = share.cost_id
    union all
    select cost.month, cost.smtp_ip_id is null, null, 'unattributed', cost.cents - coalesce(shared.cents, 0)
    from cost
    left join (select cost_id, sum(cents) as cents from staging.cost_shares group by cost_id) as shared
        on shared.cost_id = cost.id
)
select
    month,
    tenant_id,
    coalesce(sum(cents) filter (reason = 'used'), 0)::bigint as used_cents,
    coalesce(sum(cents) filter (reason = 'held'), 0)::bigint as held_cents,
    coalesce(sum(cents) filter (reason = 'idle'), 0)::bigint as idle_cents,
    coalesce(sum(cents) filter (reason = 'former'), 0)::bigint as former_cents,
    coalesce(sum(cents) filter (reason = 'unattributed'), 0)::bigint as unattributed_cents,
    coalesce(sum(cents) filter (is_server), 0)::bigint as server_cents,
    coalesce(sum(cents) filter (not is_server), 0)::bigint as address_cents,
    sum(cents)::bigint as cents
from share
group by month, tenant_id
order by month, tenant_id;

-- name: comments
comment on table marts.cost_monthly is 'What the infrastructure cost in a month, in cents, by who bore it. The rows of a month add up to what was paid for it, to the cent; a cost counts in the month in which its first day lies. A row is a tenant''s; the one without a tenant is the platform''s own.';
comment on column marts.cost_monthly.month is 'First day of the month.';  -- from costs.starts_on
comment on column marts.cost_monthly.tenant_id is 'The tenant; null for the platform itself.';  -- from cost_shares.owner_tenant_id
comment on column marts.cost_monthly.used_cents is 'Of what it sent mail with, by the number of mails.';  -- from cost_shares.cents, cost_shares.email_account_id
comment on column marts.cost_monthly.held_cents is 'Of what it held and nobody sent mail with, by the time.';  -- from cost_shares.cents, cost_shares.email_account_id, cost_shares.smtp_ip_id
comment on column marts.cost_monthly.idle_cents is 'Of what nobody held; the platform''s only.';  -- from cost_shares.cents, cost_shares.smtp_ip_id
comment on column marts.cost_monthly.former_cents is 'What tenants bore that have been purged since; with the platform''s.';  -- from cost_shares.cents, cost_shares.owner_tenant_id, cost_shares.smtp_ip_id
comment on column marts.cost_monthly.unattributed_cents is 'What was paid and has not been shared; with the platform''s.';  -- from costs.cents, cost_shares.cents
comment on column marts.cost_monthly.server_cents is 'Part of cents that is for servers, which their addresses share.';  -- from costs.cents, costs.smtp_ip_id, cost_shares.cents
comment on column marts.cost_monthly.address_cents is 'Part of cents that is for single addresses.';  -- from costs.cents, costs.smtp_ip_id, cost_shares.cents
comment on column marts.cost_monthly.cents is 'All of it: used, held, idle, former and unattributed.';  -- from costs.cents, cost_shares.cents
