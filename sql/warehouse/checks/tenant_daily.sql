-- name: mart
select tenant_id, day, figure, sum(amount)::bigint as total
from (unpivot marts.tenant_daily on sent, leads_added into name figure value amount)
group by all
union all
select tenant_id, date_trunc('month', day)::date, 'sent by the end of that month', max(sent_in_month)
from marts.tenant_daily group by all
union all
select tenant_id, null, figure || ' in the end', arg_max(amount, day)
from (
    unpivot marts.tenant_daily on leads, campaigns, email_accounts, domains, mrr_cents into name figure value amount
)
group by all
union all
select tenant_id, day, 'days told twice', count(*) - 1 from marts.tenant_daily group by all;

-- name: staging
select tenant_id, day, 'sent' as figure, sum(sent)::bigint as total from staging.daily_sends group by all
union all
select tenant_id, make_timestamp(epoch_us(created_at))::date, 'leads_added', count(*) from staging.leads group by all
union all
select tenant_id, date_trunc('month', day)::date, 'sent by the end of that month', sum(sent)::bigint
from staging.daily_sends group by all
union all
select tenant_id, null, 'leads in the end', count(*) from staging.leads group by all
union all
select tenant_id, null, 'campaigns in the end', count(*)
from staging.campaigns where finished_at is null group by all
union all
select tenant_id, null, 'email_accounts in the end', count(*)
from staging.email_accounts where status <> 'closed' group by all
union all
select tenant_id, null, 'domains in the end', count(*) from staging.domains where decommissioned_at is null group by all
union all
select tenant_id, null, 'mrr_cents in the end', sum(mrr_delta_cents)::bigint
from staging.subscription_changes group by all;
