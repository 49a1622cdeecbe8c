-- Who subscribes to what, from when to when. Billing came thirteen months before the history ends: who was
-- there before was taken over in its first month. Only spans are planned here; 41 makes of them what is
-- owed and paid, 42 what the payment provider told of it, 43 what may be used.

-- Periods are counted from their anchor, in UTC, as billing.period_end does.
create function pg_temp.months_after(ms bigint, months integer) returns bigint
    language sql immutable parallel safe
    return (extract(epoch from date_add(pg_temp.at(ms), make_interval(months => months), 'UTC') at time zone 'UTC')
            * 1000)::bigint;

create temp table plan_mails_by_month on commit drop as
select tenant_id, (extract(epoch from date_trunc('month', day::timestamp)) * 1000)::bigint as month,
       sum(sent)::bigint as used, (extract(epoch from min(day)) * 1000)::bigint as first_sent
from infrastructure.daily_sends
group by tenant_id, 2
having sum(sent) > 0;

-- What each tenant has; of mails the most in a month.
create temp table plan_usage on commit drop as
select tenant_id, 'emails_per_month' as feature_key, max(used) as used from plan_mails_by_month group by tenant_id
union all
select tenant_id, 'leads', count(*) from campaigns.leads group by tenant_id
union all
select tenant_id, 'campaigns', count(*) from campaigns.campaigns
where status not in ('finished', 'cancelled') group by tenant_id
union all
select tenant_id, 'email_accounts', count(*) from infrastructure.email_accounts
where status <> 'closed' group by tenant_id
union all
select tenant_id, 'domains', count(*) from infrastructure.domains where status <> 'decommissioned' group by tenant_id
union all
select tenant_id, 'users', count(*) from users.tenant_users where deleted is null group by tenant_id;

-- Who pays, for which plan (by rank): the smallest that holds what there is, with some add-ons, or a larger
-- one. The stories of active tenants without campaigns are dealt in turn.
create temp table plan_payers on commit drop as
with fitting as (
    select tenant_id, max(needs) as needs
    from (
        select u.tenant_id, u.feature_key, min(p.rank) as needs
        from plan_usage as u
        join billing.product_features as g on g.feature_key = u.feature_key
            and (g.value is null or u.used <= g.value + case u.feature_key when 'users' then 10
                                                                           when 'email_accounts' then 20 else 0 end)
        join billing.products as p on p.key = g.product_key and p.rank > 0
        group by u.tenant_id, u.feature_key
    ) as each
    group by tenant_id
), dealt as (
    select t.*, needs, seed, as_of, pg_temp.draw('payers', t.rank, seed) as h,
           greatest(t.created + 600000, as_of - pg_temp.days(395)) as earliest,
           row_number() over (partition by t.status, running_count > 0 order by t.rank) as turn
    from scale
    cross join plan_tenants as t
    join fitting as f on f.tenant_id = t.id
    where t.status <> 'created'
)
select d.rank, id as tenant_id, d.status, created, ended, until, as_of, seed, h, turn,
       earliest + pg_temp.days(case when earliest > created + 600000 then 30 * pg_temp.share(h) else pg_temp.share(h) end)
           as begun,
       greatest(needs, case when d.running_count > 0 then least(40, needs + case (h >> 40 & 7) when 0 then 10 else 0 end)
                            else (array[10, 10, 10, 10, 20, 20, 20, 30])[1 + (h >> 40 & 7)] end) as plan,
       case when d.status <> 'active' then d.status
            when d.running_count > 0 then 'ordinary'
            else coalesce((array['trialing', 'past_due', 'paused', 'incomplete', 'expired', 'free', 'lost',
                                 'renewing'])[turn % 30], 'ordinary') end as story,
       m.first_sent
from dealt as d
left join (select tenant_id, min(first_sent) as first_sent from plan_mails_by_month group by tenant_id) as m
    on m.tenant_id = d.id;

-- Their subscriptions, some after one another. A period begins only before renews_until; fate: left (at
-- the end of its last period), unpaid (nothing is paid for the last period), lost (unpaid, given up),
-- expired and incomplete (the first payment failed), paused and trialing (no period was paid for yet), deleted.
-- plan is what it comes to, by change at changed from plan_before.
create temp table plan_subscriptions on commit drop as
with begun as (
    select row_number() over (order by p.rank, s.starts) as n, p.*, s.fate, s.starts, s.renews_until, s.wants_trial,
           lead(s.starts) over (partition by p.rank order by s.starts) is null as is_last,
           pg_temp.share(h >> 20) as share
    from plan_payers as p
    cross join lateral (select h >> 50 & 3 > 0 as tries) as drawn
    cross join lateral (values
        ('ordinary', 'ordinary', begun, as_of - 90000, tries),
        ('deleted', 'deleted', begun, ended - 90000, tries),
        ('suspended', 'unpaid', begun, ended - pg_temp.days(0.1), true),
        ('trialing', 'left', begun, as_of - pg_temp.days(50), false),
        ('trialing', 'trialing', as_of - pg_temp.days(1 + 12 * pg_temp.share(h)), 0, true),
        ('past_due', 'unpaid', pg_temp.months_after(
            as_of - pg_temp.days(0.5 + 11 * pg_temp.share(h)), -((as_of - begun) / pg_temp.days(31) - 1)::integer),
            as_of - pg_temp.days(0.1), false),
        ('paused', 'paused', as_of - pg_temp.days(20 + 35 * pg_temp.share(h)), 0, true),
        ('incomplete', 'left', begun, as_of - pg_temp.days(50), false),
        ('incomplete', 'incomplete', as_of - pg_temp.days((1 + 20 * pg_temp.share(h)) / 24), as_of, false),
        ('expired', 'expired', begun, as_of, false),
        ('expired', 'ordinary', begun + pg_temp.days(2 + 3 * pg_temp.share(h >> 8)), as_of - 90000, tries),
        ('free', 'left', begun, as_of - pg_temp.days(50), false),
        ('free', 'free', as_of - pg_temp.days(1 + 17 * pg_temp.share(h)), as_of - 90000, false),
        ('lost', 'lost', begun, as_of - pg_temp.days(32), true),
        ('renewing', 'ordinary', as_of - pg_temp.days(14) - 60000, as_of, true)
    ) as s (story, fate, starts, renews_until, wants_trial)
    where s.story = p.story
), plans as (
    select *, case when fate in ('ordinary', 'deleted') and story <> 'renewing'
                then (array['upgrade', 'downgrade', 'switch', 'add_on', 'cancelling', 'resumed', 'upgrade',
                            'upgrade'])[turn % 20] end as wanted_change,
           starts + pg_temp.days(14) as first_change,
           coalesce(ended, as_of) - pg_temp.days(1) as last_change
    from begun
), changes as (
    select *, case when fate = 'free' then 0 when wanted_change = 'switch' then greatest(plan, 20) else plan end as final,
           case when least(last_change, case when wanted_change <> 'downgrade' then first_sent end)
                        < first_change + pg_temp.days(10)
                     or wanted_change = 'downgrade' and plan = 40
                   then null else wanted_change end as change
    from plans
), starts as (
    select *, final + case when change in ('upgrade', 'switch') then -10 when change = 'downgrade' then 10 else 0 end
               as plan_before,
           case when change in ('upgrade', 'downgrade', 'switch', 'add_on')
                then first_change + pg_temp.days(6) + ((least(
                         last_change, starts + pg_temp.days(300),
                         case when change <> 'downgrade' then first_sent end)
                     - first_change - pg_temp.days(6)) * share)::bigint end as changed,
           case when fate in ('ordinary', 'deleted') and change is distinct from 'switch' and h >> 54 & 7 = 0
                then 'year' else 'month' end as period
    from changes
)
select s.n, s.rank, tenant_id, story, fate, s.status as tenant_status, as_of, seed, is_last, first_sent, ended as tenant_ended,
       starts, renews_until, change, changed, period, first.key as plan_before, last.key as plan, coalesce(ended, as_of) as closing,
       case when change = 'switch' then 'year' else period end as period_before, share,
       case when wants_trial and first.trial_days > 0 then starts + pg_temp.days(first.trial_days) end as trial_ends,
       pg_temp.key(starts, pg_temp.draw('subscriptions', s.n, seed)) as id,
       fate not in ('paused', 'free') as has_card,
       'cus_' || to_hex(pg_temp.draw('customers', s.rank, seed)) as customer,
       pg_temp.draw('subscription times', s.n, seed) as h
from starts as s
join billing.products as first on first.rank = plan_before
join billing.products as last on last.rank = final;

-- A change of period begins a new run of periods. issued: when the worker came to it.
create temp table plan_periods on commit drop as
with runs as (
    select *, 1 as run, coalesce(trial_ends, starts) as anchor, period_before as by,
           case when change = 'switch' then changed else renews_until end as until
    from plan_subscriptions
    union all
    select *, 2, changed, period, renews_until from plan_subscriptions where change = 'switch'
), numbered as (
    select r.*, k, case by when 'year' then 12 else 1 end as months
    from runs as r
    cross join lateral generate_series(0, case when until > anchor then least((until - anchor) / pg_temp.days(28), 30)::integer else -1 end
                                          / case by when 'year' then 12 else 1 end) as k
    where k = 0 or fate not in ('expired', 'incomplete')
), bounded as (
    select n, run, k, by, fate, seed, starts as begun, until, trial_ends, pg_temp.months_after(anchor, k * months) as starts,
           pg_temp.months_after(anchor, (k + 1) * months) as ends
    from numbered
)
select n, run, k, by, starts, ends, run = 1 and k = 0 and trial_ends is null as creates, run = 1 or k > 0 as is_billed,
       case when run = 1 and k = 0 and trial_ends is null then starts
            else starts + 1000 + (19000 * pg_temp.share(pg_temp.draw('renewals', n * 64 + k, seed)))::bigint end as issued,
       lead(starts) over (partition by n order by run, k) is null as is_last
from bounded
where starts < until;

-- What its owner did to a subscription. Extra members and mailboxes are bought in the first days, as many as
-- the plan lacks.
create temp table plan_moves on commit drop as
with lacking as (
    select n, f.product_key, f.place,
           greatest(0, ceil((u.used - g.value) / f.units::numeric))::integer as quantity
    from plan_subscriptions as s
    cross join (values ('users', 'extra_users', 1, 0), ('email_accounts', 'extra_email_accounts', 5, 1))
        as f (feature_key, product_key, units, place)
    join plan_usage as u on u.tenant_id = s.tenant_id and u.feature_key = f.feature_key
    join billing.product_features as g on g.product_key = s.plan and g.feature_key = f.feature_key
    where s.is_last and fate in ('ordinary', 'unpaid', 'trialing') or fate = 'deleted'
), wanted as (
    select n, change as kind, changed as at, null as product_key, null::integer as quantity
    from plan_subscriptions
    where change in ('upgrade', 'downgrade', 'switch')
    union all
    select n, change, changed, (array['extra_emails', 'priority_support', 'dedicated_ip'])[1 + (h & 65535) % 3],
           case (h & 65535) % 3 when 0 then 2 else 1 end
    from plan_subscriptions
    where change = 'add_on'
    union all
    select n, 'add_on', starts + pg_temp.days(case when trial_ends is null then 1 + 2 * share else 0.1 end) + place * 3600000,
           product_key, quantity
    from lacking
    join plan_subscriptions using (n)
    where quantity > 0
    union all
    select n, case when fate = 'left' then 'cancelling' else change end,
           p.starts + ((least(p.ends, as_of) - p.starts) * (0.2 + 0.3 * share))::bigint, null, null
    from plan_subscriptions as s
    join plan_periods as p using (n)
    where p.is_last and p.starts < as_of - pg_temp.days(1)
      and (fate = 'left' or change in ('cancelling', 'resumed') and fate = 'ordinary')
)
-- Not while the invoice of the period is open.
select w.n, w.kind, w.product_key, w.quantity, p.starts, p.ends, p.by,
       least(greatest(w.at, p.starts + 3600000), p.ends - 3600000) as at
from wanted as w
left join plan_periods as p on p.n = w.n and p.starts < w.at and p.ends >= w.at and (w.kind <> 'switch' or p.run = 1);

-- ends: replaced then; null: with the subscription.
create temp table plan_items on commit drop as
with turned as (
    select s.*, m.kind as turn, case m.kind when 'downgrade' then m.ends else m.at end as turned
    from plan_subscriptions as s
    left join plan_moves as m on m.n = s.n and m.kind in ('upgrade', 'downgrade', 'switch')
), spans as (
    select n, 'plan' as kind, plan_before as product_key, period_before as period, 1 as quantity, starts,
           case when turned < renews_until then turned end as ends,
           case when turn = 'downgrade' then plan end as next_product_key
    from turned
    union all
    select n, 'plan', plan, period, 1, turned, null, null
    from turned where turned < renews_until
    union all
    select n, 'add_on', m.product_key, period_before, m.quantity, m.at, case when turn = 'switch' then turned end, null
    from turned
    join plan_moves as m using (n)
    where m.product_key is not null
    union all
    select n, 'add_on', m.product_key, period, m.quantity, turned, null, null
    from turned
    join plan_moves as m using (n)
    where m.product_key is not null and turn = 'switch'
)
select row_number() over (order by i.n, i.starts, i.product_key) as item, i.*, p.key as price_key, p.amount_cents as unit_cents,
       next.key as next_price_key,
       pg_temp.key(i.starts, pg_temp.draw('items ' || i.product_key, i.n, s.seed)) as id
from spans as i
join plan_subscriptions as s using (n)
join billing.prices as p on p.product_key = i.product_key and p.period = i.period
    and p.active_from <= pg_temp.at(i.starts) and p.active_until > pg_temp.at(i.starts)
left join billing.prices as next on next.product_key = i.next_product_key and next.period = i.period
    and next.active_from <= pg_temp.at(i.starts) and next.active_until > pg_temp.at(i.starts);
