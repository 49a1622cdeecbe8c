-- What the OLTP database itself says of what marts tell. NAME_oltp is asked there, NAME_mart in the
-- warehouse: the same rows.

-- name: eventful
-- Mail of a day through two addresses, events that are no longer kept, late notifications and
-- ones in vain, a cost that is not shared.
insert into infrastructure.daily_sends (tenant_id, email_account_id, smtp_ip_id, day, sent, address_allowance)
select s.tenant_id, s.email_account_id, other.id, s.day, 2, 100
from (select * from infrastructure.daily_sends where sent > 1 and smtp_ip_id is not null order by id limit 40) as s
cross join lateral (
    select i.id from infrastructure.smtp_ips i where i.id <> s.smtp_ip_id order by i.id limit 1) as other;

insert into campaigns.events (tenant_id, campaign_id, lead_id, step_id, email_account_id, kind, occurred_at)
select e.tenant_id, e.campaign_id, e.lead_id, e.step_id, e.email_account_id, 'sent', e.occurred_at
from infrastructure.daily_sends s
cross join generate_series(1, 2)
cross join lateral (
    select * from campaigns.events e
    where e.tenant_id = s.tenant_id and e.email_account_id = s.email_account_id and e.kind = 'sent'
      and (e.occurred_at at time zone 'UTC')::date = s.day limit 1) as e
where s.address_allowance = 100 and s.sent = 2;

delete from campaigns.events where occurred_at < '2025-10-01 12:00:00+00';

insert into integration.notifications
    (tenant_id, user_id, kind, channel, status, attempts, last_error, created_at, delivered_at)
select tenant_id, user_id, kind, channel, case when n % 7 = 0 then 'dead' else 'delivered' end, n, 'gone', created_at,
       case when n % 7 > 0 then created_at + n * n * interval '1.2345678 seconds' end
from integration.notifications cross join generate_series(1, 25) as n
where kind = 'digest' and created_at < '2025-11-01';

delete from infrastructure.cost_shares
where cost_id = (select min(cost_id::text)::uuid from infrastructure.cost_shares where sent > 0);

-- name: told_apart
-- Whether the marts tell of all that.
select
    (select count(*) from marts.deliverability_daily
     where delivered is null and account_sent > sent) > 0 as several_addresses,
    (select count(*) from marts.deliverability_daily
     where delivered is null and account_sent = sent) > 0 as events_gone,
    (select sum(dead) from marts.notification_daily) > 0 as dead,
    (select sum(unattributed_cents) from marts.cost_monthly) > 0 as unattributed,
    (select sum(former_cents) from marts.cost_monthly) > 0 as former,
    (select sum(held_cents) from marts.cost_monthly) > 0 as held,
    (select sum(contraction_cents * churn_cents) from (
        select sum(contraction_cents) as contraction_cents, sum(churn_cents) as churn_cents from marts.revenue_monthly
    )) > 0 as less_revenue;

-- name: end_tenant
update public.tenants set status = 'deleted', deleted = localtimestamp
where id = (select min(owner_tenant_id::text)::uuid from infrastructure.cost_shares where sent > 0)
returning id;

-- name: purge_tenant
select finished from tenancy.purge_tenant(%s);

-- name: deliverability_daily_oltp
select s.tenant_id, s.day, d.name, a.address, a.provider, s.smtp_ip_id, host(i.address), s.sent, s.soft_bounces,
       s.hard_bounces, s.complaints, s.hard_bounces::float8 / nullif(s.sent, 0),
       day_of_account.sent::float8 / nullif(day_of_account.allowance, 0), day_of_address.allowance,
       (select r.health from infrastructure.reputation_samples r
        where r.tenant_id = s.tenant_id and r.subject_id = a.id
          and (r.sampled_at at time zone 'UTC')::date <= s.day order by r.sampled_at desc limit 1),
       (select r.health from infrastructure.reputation_samples r
        where r.tenant_id = s.tenant_id and r.subject_id = d.id
          and (r.sampled_at at time zone 'UTC')::date <= s.day order by r.sampled_at desc limit 1),
       (select r.health from infrastructure.reputation_samples r
        where r.tenant_id = s.tenant_id and r.subject_id = s.smtp_ip_id
          and (r.sampled_at at time zone 'UTC')::date <= s.day order by r.sampled_at desc limit 1)
from infrastructure.daily_sends s
join infrastructure.email_accounts a on a.tenant_id = s.tenant_id and a.id = s.email_account_id
join infrastructure.domains d on d.tenant_id = a.tenant_id and d.id = a.domain_id
left join infrastructure.smtp_ips i on i.id = s.smtp_ip_id
cross join lateral (
    select sum(o.sent) as sent, sum(o.account_allowance) as allowance
    from infrastructure.daily_sends o
    where o.tenant_id = s.tenant_id and o.email_account_id = s.email_account_id and o.day = s.day) as day_of_account
cross join lateral (
    select sum(o.address_allowance)::bigint as allowance
    from infrastructure.daily_sends o
    where o.tenant_id = s.tenant_id and o.smtp_ip_id = s.smtp_ip_id and o.day = s.day) as day_of_address;

-- name: deliverability_daily_mart
select tenant_id, day, domain_name, account_address, provider, smtp_ip_id, ip_address, sent, soft_bounces,
       hard_bounces, complaints, bounce_rate, account_allowance_used, ip_allowance, account_band, domain_band, ip_band
from marts.deliverability_daily
where sent + soft_bounces + hard_bounces + complaints > 0;

-- name: delivered_oltp
-- By account and day, of days whose events are all there; with the address where there was one.
with sent as (
    select tenant_id, email_account_id, day, sum(sent) as sent,
           case when count(*) filter (where sent > 0) = 1 then max(smtp_ip_id::text) filter (where sent > 0) end as ip
    from infrastructure.daily_sends group by 1, 2, 3
)
select e.tenant_id, e.email_account_id, (e.occurred_at at time zone 'UTC')::date, s.ip::uuid,
       count(*) filter (where e.kind = 'delivered')
from campaigns.events e
left join sent s on s.tenant_id = e.tenant_id and s.email_account_id = e.email_account_id
                and s.day = (e.occurred_at at time zone 'UTC')::date
group by 1, 2, 3, 4, s.sent
having count(*) filter (where e.kind = 'delivered') > 0
   and count(*) filter (where e.kind = 'sent') = coalesce(s.sent, 0);

-- name: delivered_mart
select tenant_id, email_account_id, day, smtp_ip_id, delivered from marts.deliverability_daily where delivered > 0;

-- name: tenant_daily_oltp
-- A tenant's days with mails: everything by the end of the day.
select s.tenant_id, s.day,
       (select c.plan_key from billing.subscription_changes c
        where c.tenant_id = s.tenant_id and c.occurred_at < at.ends order by c.occurred_at desc, c.id desc limit 1),
       (select sum(c.mrr_delta_cents)::bigint from billing.subscription_changes c
        where c.tenant_id = s.tenant_id and c.occurred_at < at.ends),
       sum(s.sent)::bigint,
       (select sum(o.sent)::bigint from infrastructure.daily_sends o
        where o.tenant_id = s.tenant_id and o.day between date_trunc('month', s.day) and s.day),
       (select count(distinct e.lead_id) from campaigns.events e
        where e.tenant_id = s.tenant_id and e.kind = 'sent' and (e.occurred_at at time zone 'UTC')::date = s.day),
       (select count(distinct e.campaign_id) from campaigns.events e
        where e.tenant_id = s.tenant_id and e.kind = 'sent' and (e.occurred_at at time zone 'UTC')::date = s.day),
       (select count(*) from campaigns.leads l where l.tenant_id = s.tenant_id and l.created_at < at.ends),
       (select count(*) from campaigns.campaigns c
        where c.tenant_id = s.tenant_id and c.created_at < at.ends and coalesce(c.finished_at, 'infinity') >= at.ends),
       (select count(*) from infrastructure.email_accounts a
        where a.tenant_id = s.tenant_id and a.created_at < at.ends
          and (a.status <> 'closed' or a.updated_at >= at.ends)),
       (select count(*) from infrastructure.domains d
        where d.tenant_id = s.tenant_id and d.created_at < at.ends
          and coalesce(d.decommissioned_at, 'infinity') >= at.ends)
from infrastructure.daily_sends s
cross join lateral (select (s.day + 1)::timestamp at time zone 'UTC' as ends) as at
group by s.tenant_id, s.day, at.ends
having sum(s.sent) > 0;

-- name: tenant_daily_mart
select tenant_id, day, plan_key, mrr_cents, sent, sent_in_month, active_leads, active_campaigns, leads, campaigns,
       email_accounts, domains
from marts.tenant_daily where sent > 0;

-- name: limits_mart
-- Of each tenant with a plan the latest day, which nothing has changed since.
with latest as (
    from marts.tenant_daily
    qualify row_number() over (partition by tenant_id order by day desc) = 1
), feature as (
    select *, sent_in_month as used, 'emails_per_month' as feature_key, mails_limit as maximum from latest
    union all
    select *, leads, 'leads', leads_limit from latest
    union all
    select *, campaigns, 'campaigns', campaigns_limit from latest
    union all
    select *, email_accounts, 'email_accounts', email_accounts_limit from latest
    union all
    select *, domains, 'domains', domains_limit from latest
)
select tenant_id, ((day + 1)::timestamp at time zone 'UTC') - interval '1 microsecond', feature_key, used, maximum
from feature
where subscription_status in ('trialing', 'active', 'past_due') and not list_contains(limits_unknown, feature_key);

-- name: limits_oltp
select asked.tenant_id, asked.moment, u.feature_key, u.used, u.maximum
from unnest(%(tenants)s::uuid[], %(moments)s::timestamptz[], %(features)s::text[])
    as asked (tenant_id, moment, feature_key)
cross join billing.usage(asked.tenant_id, asked.moment) as u
where u.feature_key = asked.feature_key;

-- name: revenue_monthly_oltp
select (month at time zone 'UTC')::date, new_cents, reactivation_cents, expansion_cents, -contraction_cents,
       -churn_cents, mrr_cents
from billing.mrr_movements('2000-01-01', 'infinity');

-- name: revenue_monthly_mart
select month, sum(new_cents)::bigint, sum(reactivation_cents)::bigint, sum(expansion_cents)::bigint,
       sum(contraction_cents)::bigint, sum(churn_cents)::bigint, sum(mrr_cents)::bigint
from marts.revenue_monthly
group by month;

-- name: revenue_by_plan_oltp
select (m.month at time zone 'UTC')::date, p.plan_key, p.subscriptions, p.mrr_cents
from billing.mrr_movements('2000-01-01', 'infinity') as m
cross join billing.mrr(date_add(m.month, '1 month', 'UTC') - interval '1 microsecond') as p;

-- name: revenue_by_plan_mart
select month, plan_key, count(*), sum(mrr_cents)::bigint
from marts.revenue_monthly where mrr_cents > 0
group by month, plan_key;

-- name: broken_months
-- Those whose start is not the end of the one before, or whose end is not the start and what moved.
select count(*)
from (
    select *, lag(mrr_cents, 1, 0) over (partition by tenant_id order by month) as before
    from marts.revenue_monthly
)
where mrr_start_cents <> before
   or mrr_cents <> mrr_start_cents + new_cents + reactivation_cents + expansion_cents - contraction_cents - churn_cents;

-- name: cost_monthly_oltp
-- With the platform's own, and what was paid in all.
select m.starts_on, t.tenant, t.cents, paid.cents
from (select distinct starts_on from infrastructure.costs) as m
cross join lateral (select (m.starts_on + interval '1 month')::date as ends_on) as e
cross join infrastructure.tenant_costs(m.starts_on, e.ends_on) as t
cross join lateral (
    select sum(c.cents)::bigint as cents from infrastructure.costs c where c.starts_on = m.starts_on) as paid;

-- name: cost_monthly_mart
select month, tenant_id, cents - unattributed_cents, sum(cents) over (partition by month)::bigint
from marts.cost_monthly;

-- name: cost_reasons_oltp
select date_trunc('month', c.starts_on)::date, sum(s.cents) filter (where s.sent > 0)::bigint,
       sum(s.cents) filter (where c.smtp_ip_id is null)::bigint
from infrastructure.cost_shares s join infrastructure.costs c on c.id = s.cost_id
where s.owner_tenant_id is not null
group by 1;

-- name: cost_reasons_mart
select month, nullif(sum(used_cents), 0)::bigint, nullif(sum(server_cents), 0)::bigint
from marts.cost_monthly where tenant_id is not null
group by month;

-- name: tenant_margin_oltp
with invoiced as (
    select v.tenant_id, date_trunc('month', v.issued_at at time zone 'UTC') as month,
           sum(case v.status when 'void' then 0 else v.total_cents end)::bigint as cents,
           coalesce(sum(p.amount_cents - p.refunded_cents), 0)::bigint as revenue
    from billing.invoices v
    left join billing.payments p on p.tenant_id = v.tenant_id and p.invoice_id = v.id and p.status = 'succeeded'
    group by 1, 2
)
select v.tenant_id, v.month::date, v.cents, v.revenue, coalesce(t.cents, 0)
from invoiced v
left join infrastructure.tenant_costs(v.month::date, (v.month + interval '1 month')::date) t on t.tenant = v.tenant_id
where v.cents > 0;

-- name: tenant_margin_mart
select tenant_id, month, invoiced_cents, revenue_cents, revenue_cents - margin_cents
from marts.tenant_margin where invoiced_cents > 0;

-- name: revenue_oltp
select (month at time zone 'UTC')::date, invoiced_cents, collected_cents, refunded_cents, outstanding_cents
from billing.revenue('2000-01-01', 'infinity');

-- name: revenue_mart
select month, sum(invoiced_cents)::bigint, sum(collected_cents)::bigint, sum(refunded_cents)::bigint,
       sum(outstanding_cents)::bigint
from marts.tenant_margin
group by month having sum(invoiced_cents) > 0;

-- name: notification_daily_oltp
select tenant_id, (created_at at time zone 'UTC')::date, kind, channel, count(*), count(delivered_at),
       count(*) filter (where status = 'failed'), count(*) filter (where status = 'dead'),
       percentile_disc(0.5) within group (order by delay.ms) filter (where delivered_at is not null),
       percentile_disc(0.95) within group (order by delay.ms) filter (where delivered_at is not null)
from integration.notifications
cross join lateral (select floor(extract(epoch from delivered_at - created_at) * 1000)::bigint as ms) as delay
group by 1, 2, 3, 4;

-- name: notification_daily_mart
select tenant_id, day, kind, channel, created, delivered, failed, dead, delay_p50_ms, delay_p95_ms
from marts.notification_daily;
