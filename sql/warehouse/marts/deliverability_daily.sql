-- What each account sent through each address on a day (UTC), what came back, and how it was judged then.

-- name: keys
select distinct tenant_id, day from staging.daily_sends
union
select distinct tenant_id, (occurred_at at time zone 'UTC')::date
from staging.events where kind = 'delivered' and email_account_id is not null;

-- name: touched_by_daily_sends
select tenant_id, day from delta_daily_sends;

-- name: touched_by_events
select tenant_id, (occurred_at at time zone 'UTC')::date as day
from delta_events where kind in ('sent', 'delivered') and email_account_id is not null;

-- name: touched_by_email_accounts
-- Those with another address or domain now; each mail changes an account, which is of no concern here.
select mart.tenant_id, mart.day
from marts.deliverability_daily as mart
semi join delta_email_accounts as delta on delta.tenant_id = mart.tenant_id and delta.id = mart.email_account_id
left join staging.email_accounts as account on account.tenant_id = mart.tenant_id and account.id = mart.email_account_id
where (account.address, account.provider, account.domain_id)
    is distinct from (mart.account_address, mart.provider, mart.domain_id);

-- name: touched_by_domains
select mart.tenant_id, mart.day
from marts.deliverability_daily as mart
semi join delta_domains as delta on delta.tenant_id = mart.tenant_id and delta.id = mart.domain_id
left join staging.domains as domain on domain.tenant_id = mart.tenant_id and domain.id = mart.domain_id
where domain.name is distinct from mart.domain_name;

-- name: touched_by_smtp_ips
select mart.tenant_id, mart.day
from marts.deliverability_daily as mart
semi join delta_smtp_ips as delta on delta.id = mart.smtp_ip_id
left join staging.smtp_ips as ip on ip.id = mart.smtp_ip_id
where split_part(ip.address, '/', 1) is distinct from mart.ip_address;

-- name: touched_by_reputation_samples
-- A judgement holds from its day on.
select mart.tenant_id, mart.day
from marts.deliverability_daily as mart
semi join delta_reputation_samples as delta
    on delta.tenant_id = mart.tenant_id
    and delta.subject_id in (mart.email_account_id, mart.domain_id, mart.smtp_ip_id)
    and (delta.sampled_at at time zone 'UTC')::date <= mart.day;

-- name: rows
with sends as (
    select
        *,
        sum(sent) over account_day as account_sent,
        count(*) filter (sent > 0) over account_day as ways
    from staging.daily_sends
    semi join scope using (tenant_id, day)
    window account_day as (partition by tenant_id, email_account_id, day)
), happened as (
    select
        tenant_id,
        email_account_id,
        (occurred_at at time zone 'UTC')::date as day,
        count(*) filter (kind = 'sent') as sent,
        count(*) filter (kind = 'delivered') as delivered
    from staging.events
    semi join scope
        on scope.tenant_id = events.tenant_id and scope.day = (events.occurred_at at time zone 'UTC')::date
    where kind in ('sent', 'delivered') and email_account_id is not null
    group by all
), delivered as (
    -- Events do not tell the address: it is known when there was one that day. They are kept for a time
    -- only: what is left of a day says nothing.
    select
        happened.tenant_id,
        happened.email_account_id,
        happened.day,
        max(sends.smtp_ip_id) filter (sends.sent > 0 and sends.ways = 1) as smtp_ip_id,
        max(happened.delivered) as delivered
    from happened
    left join sends using (tenant_id, email_account_id, day)
    group by happened.tenant_id, happened.email_account_id, happened.day
    having max(happened.sent) = coalesce(max(sends.account_sent), 0)
), daily as (
    select
        tenant_id,
        email_account_id,
        smtp_ip_id,
        day,
        sum(sent)::bigint as sent,
        sum(delivered)::bigint as delivered,
        sum(soft_bounces)::bigint as soft_bounces,
        sum(hard_bounces)::bigint as hard_bounces,
        sum(complaints)::bigint as complaints
    from (
        select
            tenant_id, email_account_id, smtp_ip_id, day, sent, null as delivered, soft_bounces, hard_bounces, complaints
        from sends
        union all
        select tenant_id, email_account_id, smtp_ip_id, day, 0, delivered, 0, 0, 0 from delivered
    )
    group by all
), account_day as (
    select
        tenant_id, email_account_id, day,
        sum(sent)::bigint as sent,
        sum(account_allowance)::bigint as allowance
    from sends
    group by all
), address_day as (
    select
        tenant_id, smtp_ip_id, day,
        sum(sent)::bigint as sent,
        sum(address_allowance)::bigint as allowance
    from sends
    where smtp_ip_id is not null
    group by all
), described as (
    select
        daily.*,
        account.domain_id,
        domain.name as domain_name,
        account.address as account_address,
        account.provider,
        split_part(ip.address, '/', 1) as ip_address,
        (daily.day + 1)::timestamp at time zone 'UTC' as ends_at
    from daily
    left join staging.email_accounts as account
        on account.tenant_id = daily.tenant_id and account.id = daily.email_account_id
    left join staging.domains as domain on domain.tenant_id = account.tenant_id and domain.id = account.domain_id
    left join staging.smtp_ips as ip on ip.id = daily.smtp_ip_id
)
select
    mail.tenant_id,
    mail.day,
    mail.domain_id,
    mail.domain_name,
    mail.email_account_id,
    mail.account_address,
    mail.provider,
    mail.smtp_ip_id,
    mail.ip_address,
    mail.sent,
    mail.delivered,
    mail.soft_bounces,
    mail.hard_bounces,
    mail.complaints,
    mail.delivered / nullif(mail.sent, 0) as delivery_rate,
    mail.hard_bounces / nullif(mail.sent, 0) as bounce_rate,
    mail.complaints / nullif(mail.sent, 0) as complaint_rate,
    account_day.sent as account_sent,
    account_day.allowance as account_allowance,
    account_day.sent / nullif(account_day.allowance, 0) as account_allowance_used,
    address_day.sent as ip_sent,
    address_day.allowance as ip_allowance,
    address_day.sent / nullif(address_day.allowance, 0) as ip_allowance_used,
    account_sample.health as account_band,
    domain_sample.health as domain_band,
    ip_sample.health as ip_band
from described as mail
left join account_day
    on account_day.tenant_id = mail.tenant_id and account_day.email_account_id = mail.email_account_id
    and account_day.day = mail.day
left join address_day
    on address_day.tenant_id = mail.tenant_id and address_day.smtp_ip_id = mail.smtp_ip_id
    and address_day.day = mail.day
asof left join staging.reputation_samples as account_sample
    on account_sample.tenant_id = mail.tenant_id and account_sample.subject_id = mail.email_account_id
    and account_sample.sampled_at < mail.ends_at
asof left join staging.reputation_samples as domain_sample
    on domain_sample.tenant_id = mail.tenant_id and domain_sample.subject_id = mail.domain_id
    and domain_sample.sampled_at < mail.ends_at
asof left join staging.reputation_samples as ip_sample
    on ip_sample.tenant_id = mail.tenant_id and ip_sample.subject_id = mail.smtp_ip_id
    and ip_sample.sampled_at < mail.ends_at
order by mail.tenant_id, mail.day, mail.email_account_id, mail.smtp_ip_id;

-- name: comments
comment on table marts.deliverability_daily is 'What each account sent through each address on a day (UTC), what came back that day, how much of its warm-up it used, and the reputation that it had by the end of the day.';
comment on column marts.deliverability_daily.tenant_id is 'The tenant.';  -- from daily_sends.tenant_id, events.tenant_id
comment on column marts.deliverability_daily.day is 'Day in UTC.';  -- from daily_sends.day, events.occurred_at
comment on column marts.deliverability_daily.domain_id is 'Domain of the account.';  -- from email_accounts.domain_id
comment on column marts.deliverability_daily.domain_name is 'Its name now.';  -- from domains.name
comment on column marts.deliverability_daily.email_account_id is 'The account.';  -- from daily_sends.email_account_id, events.email_account_id
comment on column marts.deliverability_daily.account_address is 'Email address of the account now.';  -- from email_accounts.address
comment on column marts.deliverability_daily.provider is 'Who delivers for the account now: smtp (our own addresses), google, microsoft, ses or sendgrid.';  -- from email_accounts.provider
comment on column marts.deliverability_daily.smtp_ip_id is 'The IP address that the mails left from; null where the provider delivers, and for delivered mails of which it is not known.';  -- from daily_sends.smtp_ip_id
comment on column marts.deliverability_daily.ip_address is 'That address.';  -- from smtp_ips.address
comment on column marts.deliverability_daily.sent is 'Mails sent.';  -- from daily_sends.sent
comment on column marts.deliverability_daily.delivered is 'Mails delivered; null when it is not known: the account sent through several addresses (the row without one has them all), or the events of the day are no longer kept.';  -- from events.kind, daily_sends.sent
comment on column marts.deliverability_daily.soft_bounces is 'Temporary failures that were reported on the day.';  -- from daily_sends.soft_bounces
comment on column marts.deliverability_daily.hard_bounces is 'Permanent failures that were reported on the day.';  -- from daily_sends.hard_bounces
comment on column marts.deliverability_daily.complaints is 'Complaints of spam that were reported on the day.';  -- from daily_sends.complaints
comment on column marts.deliverability_daily.delivery_rate is 'Delivered per sent of the same day; null when nothing was sent or it is not known.';  -- from events.kind, daily_sends.sent
comment on column marts.deliverability_daily.bounce_rate is 'Permanent failures per sent of the same day; null when nothing was sent.';  -- from daily_sends.hard_bounces, daily_sends.sent
comment on column marts.deliverability_daily.complaint_rate is 'Complaints per sent of the same day; null when nothing was sent.';  -- from daily_sends.complaints, daily_sends.sent
comment on column marts.deliverability_daily.account_sent is 'Mails that the account sent that day through all addresses.';  -- from daily_sends.sent
comment on column marts.deliverability_daily.account_allowance is 'Mails that the account was allowed that day, in all periods that it sent in: by its warm-up then, its cap and its reputation. 0: not noted.';  -- from daily_sends.account_allowance
comment on column marts.deliverability_daily.account_allowance_used is 'account_sent per account_allowance, 1 at most; null when no allowance was noted.';  -- from daily_sends.sent, daily_sends.account_allowance
comment on column marts.deliverability_daily.ip_sent is 'Mails that the tenant sent that day through the IP address, with all accounts; null without one.';  -- from daily_sends.sent
comment on column marts.deliverability_daily.ip_allowance is 'Mails that the IP address was allowed that day, in the periods that began with a mail of the tenant.';  -- from daily_sends.address_allowance
comment on column marts.deliverability_daily.ip_allowance_used is 'ip_sent per ip_allowance; null when no allowance was noted, as when another tenant had begun the period.';  -- from daily_sends.sent, daily_sends.address_allowance
comment on column marts.deliverability_daily.account_band is 'Reputation band of the account by the end of the day: healthy, watched, throttled, quarantined or blocked; null before it was first judged.';  -- from reputation_samples.health, reputation_samples.subject_id, reputation_samples.sampled_at
comment on column marts.deliverability_daily.domain_band is 'Likewise of its domain.';  -- from reputation_samples.health, reputation_samples.subject_id, reputation_samples.sampled_at
comment on column marts.deliverability_daily.ip_band is 'Likewise of the IP address, by what the tenant sent through it.';  -- from reputation_samples.health, reputation_samples.subject_id, reputation_samples.sampled_at
