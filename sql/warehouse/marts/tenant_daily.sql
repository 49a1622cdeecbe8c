-- What each tenant did on a day (UTC), what it had at the end of it, and how much of its limits that was.

-- name: keys
with happening as (
    select tenant_id, occurred_at as moment from staging.subscription_changes
    union all
    select tenant_id, created_at from staging.leads
    union all
    select tenant_id, unnest([created_at, finished_at]) from staging.campaigns
    union all
    select tenant_id, unnest([created_at, if(status = 'closed', updated_at, null)]) from staging.email_accounts
    union all
    select tenant_id, unnest([created_at, decommissioned_at]) from staging.domains
)
select tenant_id, (moment at time zone 'UTC')::date as day from happening where moment is not null
union
select tenant_id, day from staging.daily_sends;

-- name: touched_by_daily_sends
-- The day, and those after it, which the month goes on.
select tenant_id, day from delta_daily_sends
union all
select mart.tenant_id, mart.day
from marts.tenant_daily as mart
semi join delta_daily_sends as delta
    on delta.tenant_id = mart.tenant_id and delta.day < mart.day
    and date_trunc('month', delta.day) = date_trunc('month', mart.day);

-- name: touched_by_events
select tenant_id, (occurred_at at time zone 'UTC')::date as day from delta_events where kind = 'sent';

-- name: touched_by_leads
-- Of what came and went, net of what looks the same before and after, the day and all after it; so below.
with moved as (
    select tenant_id, (created_at at time zone 'UTC')::date as day
    from delta_leads group by tenant_id, id, created_at having count(*) % 2 = 1
)
select tenant_id, day from moved
union all
select mart.tenant_id, mart.day
from marts.tenant_daily as mart semi join moved on moved.tenant_id = mart.tenant_id and moved.day < mart.day;

-- name: touched_by_campaigns
with moved as (
    select tenant_id, (unnest([created_at, finished_at]) at time zone 'UTC')::date as day
    from delta_campaigns group by tenant_id, id, created_at, finished_at having count(*) % 2 = 1
)
select tenant_id, day from moved where day is not null
union all
select mart.tenant_id, mart.day
from marts.tenant_daily as mart semi join moved on moved.tenant_id = mart.tenant_id and moved.day < mart.day;

-- name: touched_by_email_accounts
with version as (
    select tenant_id, id, created_at, if(status = 'closed', updated_at, null) as closed_at from delta_email_accounts
), moved as (
    select tenant_id, (unnest([created_at, closed_at]) at time zone 'UTC')::date as day
    from version group by tenant_id, id, created_at, closed_at having count(*) % 2 = 1
)
select tenant_id, day from moved where day is not null
union all
select mart.tenant_id, mart.day
from marts.tenant_daily as mart semi join moved on moved.tenant_id = mart.tenant_id and moved.day < mart.day;

-- name: touched_by_domains
with moved as (
    select tenant_id, (unnest([created_at, decommissioned_at]) at time zone 'UTC')::date as day
    from delta_domains group by tenant_id, id, created_at, decommissioned_at having count(*) % 2 = 1
)
select tenant_id, day from moved where day is not null
union all
select mart.tenant_id, mart.day
from marts.tenant_daily as mart semi join moved on moved.tenant_id = mart.tenant_id and moved.day < mart.day;

-- name: touched_by_subscription_changes
select tenant_id, (occurred_at at time zone 'UTC')::date as day from delta_subscription_changes
union all
select mart.tenant_id, mart.day
from marts.tenant_daily as mart semi join delta_subscription_changes using (tenant_id);

-- name: touched_by_subscription_items
select mart.tenant_id, mart.day
from marts.tenant_daily as mart semi join delta_subscription_items using (tenant_id);

-- name: touched_by_overrides
select mart.tenant_id, mart.day
from marts.tenant_daily as mart semi join delta_overrides using (tenant_id);

-- name: touched_by_usage_counters
-- What is used is counted elsewhere.
with moved as (
    select tenant_id, period_start, period_end
    from delta_usage_counters
    group by tenant_id, id, feature_key, period_start, period_end, maximum, valid_until
    having count(*) % 2 = 1
)
select mart.tenant_id, mart.day
from marts.tenant_daily as mart
semi join moved
    on moved.tenant_id = mart.tenant_id
    and moved.period_start <= mart.day::timestamp at time zone 'UTC'
    and moved.period_end > mart.day::timestamp at time zone 'UTC';

-- name: rows
with move as (
    select tenant_id, created_at as moment, 'leads' as feature, 1 as amount
    from staging.leads semi join scope using (tenant_id)
    union all
    select tenant_id, unnest([created_at, finished_at]), 'campaigns', unnest([1, -1])
    from staging.campaigns semi join scope using (tenant_id)
    union all
    select tenant_id, unnest([created_at, if(status = 'closed', updated_at, null)]), 'email_accounts', unnest([1, -1])
    from staging.email_accounts semi join scope using (tenant_id)
    union all
    select tenant_id, unnest([created_at, decommissioned_at]), 'domains', unnest([1, -1])
    from staging.domains semi join scope using (tenant_id)
), moved as (
    select
        tenant_id,
        (moment at time zone 'UTC')::date as day,
        coalesce(sum(amount) filter (feature = 'leads'), 0)::bigint as leads,
        coalesce(sum(amount) filter (feature = 'campaigns'), 0)::bigint as campaigns,
        coalesce(sum(amount) filter (feature = 'email_accounts'), 0)::bigint as email_accounts,
        coalesce(sum(amount) filter (feature = 'domains'), 0)::bigint as domains
    from move
    where moment is not null
    group by all
), held as (
    select
        tenant_id,
        day,
        leads as leads_added,
        sum(leads) over upto::bigint as leads,
        sum(campaigns) over upto::bigint as campaigns,
        sum(email_accounts) over upto::bigint as email_accounts,
        sum(domains) over upto::bigint as domains
    from moved
    window upto as (partition by tenant_id order by day)
), change as (
    select * from staging.subscription_changes semi join scope using (tenant_id)
), changed as (
    -- Worth is added up, as changes of one moment have no order.
    select
        tenant_id,
        (occurred_at at time zone 'UTC')::date as day,
        last(plan_key order by occurred_at, id) as plan_key,
        last(status order by occurred_at, id) as status,
        sum(mrr_delta_cents) as delta_cents
    from change
    group by all
), subscribed as (
    select *, sum(delta_cents) over (partition by tenant_id order by day)::bigint as mrr_cents from changed
), sent_on as (
    select tenant_id, day, sum(sent)::bigint as sent
    from staging.daily_sends
    semi join scope
        on scope.tenant_id = daily_sends.tenant_id
        and date_trunc('month', scope.day) = date_trunc('month', daily_sends.day)
    group by all
), mailed as (
    select
        *, sum(sent) over (partition by tenant_id, date_trunc('month', day) order by day)::bigint as sent_in_month
    from sent_on
), active as (
    select
        tenant_id,
        (occurred_at at time zone 'UTC')::date as day,
        count(distinct campaign_id) as campaigns,
        count(distinct lead_id) as leads
    from staging.events
    semi join scope
        on scope.tenant_id = events.tenant_id and scope.day = (events.occurred_at at time zone 'UTC')::date
    where kind = 'sent'
    group by all
), daily as (
    select tenant_id, day, (day + 1)::timestamp at time zone 'UTC' as ends_at
    from (
        select tenant_id, day from moved
        union
        select tenant_id, day from changed
        union
        select tenant_id, day from sent_on
    )
    semi join scope using (tenant_id, day)
), item_change as (
    select tenant_id, unnest([started_at, ended_at]) as moment
    from staging.subscription_items semi join scope using (tenant_id)
), counter as (
    -- Its copy of the limit is the last one of its period. By then: since when nothing else was bought,
    -- whether there was access, and whether an override had been copied.
    select
        counter.tenant_id,
        counter.feature_key,
        counter.period_start,
        counter.period_end,
        counter.maximum,
        (select max(item_change.moment) from item_change
         where item_change.tenant_id = counter.tenant_id and item_change.moment < counter.period_end) as bought_at,
        (select last(change.status order by change.occurred_at, change.id) in ('trialing', 'active', 'past_due')
         from change
         where change.tenant_id = counter.tenant_id and change.occurred_at < counter.period_end) as had_access,
        exists (from staging.overrides as o
                where o.tenant_id = counter.tenant_id and o.feature_key = counter.feature_key
                  and o.ends_at = counter.valid_until and o.starts_at < counter.period_end) as is_override
    from staging.usage_counters as counter
    semi join scope using (tenant_id)
), state as (
    select
        daily.*,
        coalesce(subscribed.status in ('trialing', 'active', 'past_due'), false) as has_access,
        subscribed.* exclude (tenant_id, day, delta_cents)
    from daily
    asof left join subscribed on subscribed.tenant_id = daily.tenant_id and subscribed.day <= daily.day
), entitled as (
    select
        state.tenant_id,
        state.day,
        feature.key as feature_key,
        case
            when not state.has_access then 0
            when o.id is not null then o.value
            when judged.holds then counter.maximum
        end as maximum,
        not state.has_access or o.id is not null or coalesce(judged.holds, false) as is_known
    from state
    cross join unnest(['emails_per_month', 'leads', 'campaigns', 'email_accounts', 'domains']) as feature (key)
    left join staging.overrides as o
        on o.tenant_id = state.tenant_id and o.feature_key = feature.key
        and o.starts_at < state.ends_at and o.ends_at >= state.ends_at
    left join counter
        on counter.tenant_id = state.tenant_id and counter.feature_key = feature.key
        and counter.period_start < state.ends_at and counter.period_end >= state.ends_at
    cross join lateral (
        select
            counter.had_access and not counter.is_override
            and coalesce(counter.bought_at < state.ends_at, true) as holds
    ) as judged
), limits as (
    select
        tenant_id,
        day,
        max(maximum) filter (feature_key = 'emails_per_month') as mails,
        max(maximum) filter (feature_key = 'leads') as leads,
        max(maximum) filter (feature_key = 'campaigns') as campaigns,
        max(maximum) filter (feature_key = 'email_accounts') as email_accounts,
        max(maximum) filter (feature_key = 'domains') as domains,
        coalesce(list(feature_key order by feature_key) filter (not is_known), []) as unknown
    from entitled
    group by all
)
select
    state.tenant_id,
    state.day,
    state.plan_key,
    state.status as subscription_status,
    coalesce(state.mrr_cents, 0) as mrr_cents,
    coalesce(active.campaigns, 0) as active_campaigns,
    coalesce(active.leads, 0) as active_leads,
    if(held.day = state.day, held.leads_added, 0) as leads_added,
    coalesce(mailed.sent, 0) as sent,
    coalesce(in_month.sent_in_month, 0) as sent_in_month,
    limits.mails as mails_limit,
    coalesce(in_month.sent_in_month, 0) / nullif(limits.mails, 0) as mails_limit_used,
    coalesce(held.leads, 0) as leads,
    limits.leads as leads_limit,
    coalesce(held.leads, 0) / nullif(limits.leads, 0) as leads_limit_used,
    coalesce(held.campaigns, 0) as campaigns,
    limits.campaigns as campaigns_limit,
    coalesce(held.campaigns, 0) / nullif(limits.campaigns, 0) as campaigns_limit_used,
    coalesce(held.email_accounts, 0) as email_accounts,
    limits.email_accounts as email_accounts_limit,
    coalesce(held.email_accounts, 0) / nullif(limits.email_accounts, 0) as email_accounts_limit_used,
    coalesce(held.domains, 0) as domains,
    limits.domains as domains_limit,
    coalesce(held.domains, 0) / nullif(limits.domains, 0) as domains_limit_used,
    limits.unknown as limits_unknown
from state
left join mailed on mailed.tenant_id = state.tenant_id and mailed.day = state.day
asof left join mailed as in_month
    on in_month.tenant_id = state.tenant_id
    and date_trunc('month', in_month.day) = date_trunc('month', state.day)
    and in_month.day <= state.day
asof left join held on held.tenant_id = state.tenant_id and held.day <= state.day
left join active on active.tenant_id = state.tenant_id and active.day = state.day
left join limits on limits.tenant_id = state.tenant_id and limits.day = state.day
order by state.tenant_id, state.day;

-- name: comments
comment on table marts.tenant_daily is 'What each tenant did on a day (UTC), what it had at the end of it, and how much of the limits of then that was. A day on which it sent nothing and nothing of this changed has no row.';
comment on column marts.tenant_daily.tenant_id is 'The tenant.';  -- from daily_sends.tenant_id, leads.tenant_id, campaigns.tenant_id, email_accounts.tenant_id, domains.tenant_id, subscription_changes.tenant_id
comment on column marts.tenant_daily.day is 'Day in UTC.';  -- from daily_sends.day, leads.created_at, campaigns.created_at, campaigns.finished_at, email_accounts.created_at, email_accounts.updated_at, domains.created_at, domains.decommissioned_at, subscription_changes.occurred_at
comment on column marts.tenant_daily.plan_key is 'Plan of its subscription at the end of the day; null before the first.';  -- from subscription_changes.plan_key, subscription_changes.occurred_at
comment on column marts.tenant_daily.subscription_status is 'Status of the subscription then; trialing, active and past_due give access.';  -- from subscription_changes.status, subscription_changes.occurred_at
comment on column marts.tenant_daily.mrr_cents is 'What it brought a month then, in cents.';  -- from subscription_changes.mrr_delta_cents, subscription_changes.occurred_at
comment on column marts.tenant_daily.active_campaigns is 'Campaigns that sent a mail on the day, as far as its events are kept.';  -- from events.campaign_id, events.kind, events.occurred_at
comment on column marts.tenant_daily.active_leads is 'Leads that were sent a mail on the day, as far as its events are kept.';  -- from events.lead_id, events.kind, events.occurred_at
comment on column marts.tenant_daily.leads_added is 'Leads added on the day, of those kept now.';  -- from leads.created_at
comment on column marts.tenant_daily.sent is 'Mails sent on the day.';  -- from daily_sends.sent
comment on column marts.tenant_daily.sent_in_month is 'Mails sent from the beginning of the month to the end of the day.';  -- from daily_sends.sent, daily_sends.day
comment on column marts.tenant_daily.mails_limit is 'Mails it was allowed in the month, as of the end of the day; null: unlimited, unless limits_unknown names it.';  -- from usage_counters.maximum, usage_counters.period_end, usage_counters.valid_until, overrides.value, overrides.starts_at, overrides.ends_at, subscription_changes.status, subscription_items.started_at, subscription_items.ended_at
comment on column marts.tenant_daily.mails_limit_used is 'sent_in_month per mails_limit; above 1 where that was lowered; null: unlimited, nothing allowed or not known.';  -- from daily_sends.sent, daily_sends.day, usage_counters.maximum, usage_counters.period_end, usage_counters.valid_until, overrides.value, overrides.starts_at, overrides.ends_at, subscription_changes.status, subscription_items.started_at, subscription_items.ended_at
comment on column marts.tenant_daily.leads is 'Leads at the end of the day, of those kept now.';  -- from leads.created_at
comment on column marts.tenant_daily.leads_limit is 'Leads it was allowed then; null likewise.';  -- from usage_counters.maximum, usage_counters.period_end, usage_counters.valid_until, overrides.value, overrides.starts_at, overrides.ends_at, subscription_changes.status, subscription_items.started_at, subscription_items.ended_at
comment on column marts.tenant_daily.leads_limit_used is 'leads per leads_limit; null likewise.';  -- from leads.created_at, usage_counters.maximum, usage_counters.period_end, usage_counters.valid_until, overrides.value, overrides.starts_at, overrides.ends_at, subscription_changes.status, subscription_items.started_at, subscription_items.ended_at
comment on column marts.tenant_daily.campaigns is 'Campaigns at the end of the day that were neither finished nor cancelled.';  -- from campaigns.created_at, campaigns.finished_at
comment on column marts.tenant_daily.campaigns_limit is 'Campaigns it was allowed then; null likewise.';  -- from usage_counters.maximum, usage_counters.period_end, usage_counters.valid_until, overrides.value, overrides.starts_at, overrides.ends_at, subscription_changes.status, subscription_items.started_at, subscription_items.ended_at
comment on column marts.tenant_daily.campaigns_limit_used is 'campaigns per campaigns_limit; null likewise.';  -- from campaigns.created_at, campaigns.finished_at, usage_counters.maximum, usage_counters.period_end, usage_counters.valid_until, overrides.value, overrides.starts_at, overrides.ends_at, subscription_changes.status, subscription_items.started_at, subscription_items.ended_at
comment on column marts.tenant_daily.email_accounts is 'Email accounts that were open at the end of the day; closed ones until they last changed.';  -- from email_accounts.created_at, email_accounts.status, email_accounts.updated_at
comment on column marts.tenant_daily.email_accounts_limit is 'Email accounts it was allowed then; null likewise.';  -- from usage_counters.maximum, usage_counters.period_end, usage_counters.valid_until, overrides.value, overrides.starts_at, overrides.ends_at, subscription_changes.status, subscription_items.started_at, subscription_items.ended_at
comment on column marts.tenant_daily.email_accounts_limit_used is 'email_accounts per email_accounts_limit; null likewise.';  -- from email_accounts.created_at, email_accounts.status, email_accounts.updated_at, usage_counters.maximum, usage_counters.period_end, usage_counters.valid_until, overrides.value, overrides.starts_at, overrides.ends_at, subscription_changes.status, subscription_items.started_at, subscription_items.ended_at
comment on column marts.tenant_daily.domains is 'Domains at the end of the day that were not given up.';  -- from domains.created_at, domains.decommissioned_at
comment on column marts.tenant_daily.domains_limit is 'Domains it was allowed then; null likewise.';  -- from usage_counters.maximum, usage_counters.period_end, usage_counters.valid_until, overrides.value, overrides.starts_at, overrides.ends_at, subscription_changes.status, subscription_items.started_at, subscription_items.ended_at
comment on column marts.tenant_daily.domains_limit_used is 'domains per domains_limit; null likewise.';  -- from domains.created_at, domains.decommissioned_at, usage_counters.maximum, usage_counters.period_end, usage_counters.valid_until, overrides.value, overrides.starts_at, overrides.ends_at, subscription_changes.status, subscription_items.started_at, subscription_items.ended_at
comment on column marts.tenant_daily.limits_unknown is 'Features whose limit then is not known: what was bought has changed since (or, of mails, later in the month), or nothing was counted. Limits have no history of their own.';  -- from usage_counters.maximum, usage_counters.period_end, usage_counters.valid_until, overrides.value, overrides.starts_at, overrides.ends_at, subscription_changes.status, subscription_items.started_at, subscription_items.ended_at
