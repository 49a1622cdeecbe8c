-- infrastructure.reputation_samples: samples count the seven days before, and health is what the last one found.
with recent as (
    select p.id, sum(s.sent) as sent, sum(s.hard_bounces) as bounces, sum(s.complaints) as complaints
    from infrastructure.reputation_samples as p
    join infrastructure.daily_sends as s
        on s.tenant_id = p.tenant_id and s.day <= (p.sampled_at at time zone 'UTC')::date
        and s.day > (p.sampled_at at time zone 'UTC')::date - 7
    join infrastructure.email_accounts as a on a.tenant_id = s.tenant_id and a.id = s.email_account_id
    where p.subject_id = case p.subject when 'email_account' then a.id when 'domain' then a.domain_id else s.smtp_ip_id end
    group by p.id
), last as (
    select distinct on (subject_id) subject_id, health
    from infrastructure.reputation_samples
    order by subject_id, sampled_at desc
), subjects as (
    select id, health from infrastructure.email_accounts
    union all
    select id, health from infrastructure.domains
    union all
    select id, health from infrastructure.smtp_ips
)
select 'sample' as what, p.id
from infrastructure.reputation_samples as p
left join recent as r using (id)
where (r.sent, r.bounces, r.complaints) is distinct from (p.sent::bigint, p.bounces::bigint, p.complaints::bigint)
union all
select 'health', s.id
from subjects as s
left join last as l on l.subject_id = s.id
where s.health <> coalesce(l.health, 'healthy')
