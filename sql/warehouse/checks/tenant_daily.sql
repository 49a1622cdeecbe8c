-- name: mart
select tenant_id, 'sent in ' || strftime(day, '%Y-%m') as figure, sum(sent)::bigint as total
from marts.tenant_daily group by all
union all
select tenant_id, 'sent in ' || strftime(day, '%Y-%m') || ' by its end', max(sent_in_month)
from marts.tenant_daily group by all
union all
select tenant_id, 'leads added', sum(leads_added)::bigint from marts.tenant_daily group by all
union all
select tenant_id, figure || ' in the end', arg_max(amount, day)
from (
    unpivot marts.tenant_daily on leads, campaigns, email_accounts, domains, mrr_cents into name figure value amount
)
group by all
union all
select tenant_id, 'days told twice', count(*) - count(distinct day) from marts.tenant_daily group by all;

-- name: staging
with mails as (
    select tenant_id, 'sent in ' || strftime(day, '%Y-%m') as figure, sum(sent)::bigint as total
    from staging.daily_sends group by all
)
from mails
union all
select tenant_id, figure || ' by its end', total from mails
union all
select tenant_id, 'leads added', count(*) from staging.leads group by all
union all
select tenant_id, 'leads in the end', count(*) from staging.leads group by all
union all
select tenant_id, 'campaigns in the end', count(*) from staging.campaigns where finished_at is null group by all
union all
select tenant_id, 'email_accounts in the end', count(*)
from staging.email_accounts where status <> 'closed' group by all
union all
select tenant_id, 'domains in the end', count(*) from staging.domains where decommissioned_at is null group by all
union all
select tenant_id, 'mrr_cents in the end', sum(mrr_delta_cents)::bigint from staging.subscription_changes group by all;
