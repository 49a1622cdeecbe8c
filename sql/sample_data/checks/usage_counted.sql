-- billing.usage_counters: there is one for each count and each month with mails, it says what there is, and whoever has access has no more than is granted.
with there as (
    select tenant_id, 'leads' as feature_key, 'infinity'::timestamptz as period_end, count(*) as used
    from campaigns.leads group by tenant_id
    union all
    select tenant_id, 'campaigns', 'infinity', count(*) from sample_campaigns
    where status not in ('finished', 'cancelled') group by tenant_id
    union all
    select tenant_id, 'email_accounts', 'infinity', count(*) from infrastructure.email_accounts
    where status <> 'closed' group by tenant_id
    union all
    select tenant_id, 'domains', 'infinity', count(*) from infrastructure.domains
    where status <> 'decommissioned' group by tenant_id
    union all
    select tenant_id, 'users', 'infinity', count(*) from users.tenant_users where deleted is null group by tenant_id
    union all
    select tenant_id, 'emails_per_month', date_add(date_trunc('month', executed_at, 'UTC'), '1 month', 'UTC'), count(*)
    from sample_executions where status = 'sent' group by 1, 3
), wanted as (
    select t.tenant_id, f.key as feature_key, w.period_end, coalesce(w.used, 0) as used
    from tenant_lives as t
    cross join billing.features as f
    left join there as w on w.tenant_id = t.tenant_id and w.feature_key = f.key
    where t.status <> 'created' and f.kind = 'metered' and (f.period is null or w.used > 0)
)
select 'not what there is' as what, tenant_id, feature_key, c.used, w.used as there
from (select tenant_id, feature_key, coalesce(period_end, 'infinity') as period_end, used from wanted) as w
full join billing.usage_counters as c using (tenant_id, feature_key, period_end)
where c.used is distinct from w.used
union all
select 'more than is granted', c.tenant_id, c.feature_key, c.used, c.maximum
from billing.usage_counters as c
where c.used > c.maximum and exists (
    select from billing.subscriptions as s
    where s.tenant_id = c.tenant_id and s.ended_at is null and s.status in ('trialing', 'active', 'past_due'))
