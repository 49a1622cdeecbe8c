-- configuration.tenant_policies: since a policy holds, its tenant sent no more in a day, opened no account elsewhere, and kept nothing for longer.
with sent as (
    select p.tenant_id, p.policy_key, d.day::text as what
    from configuration.tenant_policies as p
    join infrastructure.daily_sends as d
        on d.tenant_id = p.tenant_id and d.day > (p.updated_at at time zone 'UTC')::date
    where p.policy_key = 'emails_per_day'
    group by p.tenant_id, p.policy_key, d.day
    having sum(d.sent) > configuration.policy_limit(p.tenant_id, 'emails_per_day')
), opened as (
    select p.tenant_id, p.policy_key, a.address
    from configuration.tenant_policies as p
    join infrastructure.email_accounts as a on a.tenant_id = p.tenant_id and a.created_at > p.updated_at
    where p.policy_key = 'allowed_providers'
      and not configuration.policy_allows(p.tenant_id, 'allowed_providers', a.provider)
), kept as (
    select n.tenant_id, 'notification_retention_days', n.id::text
    from made, integration.notifications as n
    where n.created_at < as_of - make_interval(
        days => configuration.policy_limit(n.tenant_id, 'notification_retention_days')::integer)
)
select * from sent
union all
select * from opened
union all
select * from kept
