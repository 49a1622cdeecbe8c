-- What a few get instead: the API, more mails for a while, more leads some time ago, mailboxes from next
-- week on. Who came back to the free plan kept the members.
create temp table plan_overrides on commit drop as
select p.rank, p.tenant_id, p.seed, o.feature_key, o.value, o.reason, o.starts, o.ends, o.created
from plan_payers as p
cross join lateral (values
    (1, 'api_access', 1::bigint, 'Promised at the sale.', begun, null::bigint, begun),
    (2, 'emails_per_month', null, 'A season''s campaign.', as_of - pg_temp.days(50), as_of + pg_temp.days(40),
        as_of - pg_temp.days(50)),
    (3, 'leads', 100000, 'A merger of two lists.', begun + (until - begun) * 3 / 10, begun + (until - begun) * 6 / 10,
        begun + (until - begun) * 3 / 10),
    (4, 'email_accounts', null, 'A trial of more mailboxes.', as_of + pg_temp.days(7), as_of + pg_temp.days(37),
        as_of - pg_temp.days(3))
) as o (turn, feature_key, value, reason, starts, ends, created)
where p.status = 'active' and o.turn = p.turn % 50
union all
select s.rank, s.tenant_id, s.seed, 'users', u.used + 2, 'Kept its members.', s.starts, null, s.starts
from plan_subscriptions as s
join plan_usage as u on u.tenant_id = s.tenant_id and u.feature_key = 'users'
where s.fate = 'free';

insert into billing.overrides (tenant_id, id, feature_key, value, reason, starts_at, ends_at, created_at)
select tenant_id, pg_temp.key(created, pg_temp.draw('overrides ' || feature_key, rank, seed)), feature_key, value, reason,
       pg_temp.at(starts), coalesce(pg_temp.at(ends), 'infinity'), pg_temp.at(created)
from plan_overrides
order by created, rank;

-- A counter for each current count, and for each month with mails; its copy of the limit is as of the end of
-- that month.
insert into billing.usage_counters (tenant_id, id, feature_key, period_start, period_end, used, maximum, valid_until)
with counters as (
    select p.rank, p.tenant_id, p.seed, p.as_of, f.key as feature_key, p.begun as opened, null::bigint as month,
           coalesce(u.used, 0) as used, p.as_of as judged
    from plan_payers as p
    cross join billing.features as f
    left join plan_usage as u on u.tenant_id = p.tenant_id and u.feature_key = f.key
    where f.kind = 'metered' and f.period is null
    union all
    select p.rank, p.tenant_id, p.seed, p.as_of, 'emails_per_month', m.month, m.month, m.used,
           least(p.as_of, pg_temp.months_after(m.month, 1)) - 1
    from plan_payers as p
    join plan_mails_by_month as m using (tenant_id)
), bought as materialized (
    select s.rank, i.product_key, i.quantity, i.starts,
           least(i.ends, case when c.status not in ('trialing', 'active', 'past_due') then c.at end) as ends
    from plan_subscriptions as s
    join plan_changes as c on c.n = s.n and c.is_last
    join plan_items as i on i.n = s.n
    where fate not in ('incomplete', 'expired')
), held as materialized (
    select c.rank, c.feature_key, c.judged, b.product_key, b.quantity
    from counters as c
    join bought as b on b.rank = c.rank and b.starts <= c.judged and (b.ends is null or b.ends > c.judged)
), granted as (
    select h.rank, h.feature_key, h.judged, bool_or(g.value is null) as is_unlimited,
           sum(g.value * h.quantity)::bigint as value
    from held as h
    join billing.product_features as g using (product_key, feature_key)
    group by h.rank, h.feature_key, h.judged
)
select c.tenant_id, pg_temp.key(c.opened, pg_temp.draw('counters ' || c.feature_key, c.rank, c.seed)), c.feature_key,
       coalesce(pg_temp.at(c.month), '-infinity'), coalesce(pg_temp.at(pg_temp.months_after(c.month, 1)), 'infinity'), c.used,
       case when g.rank is null then 0 when o.starts <= c.judged then o.value when not g.is_unlimited then g.value end,
       coalesce(pg_temp.at(case when o.starts > c.judged then o.starts else o.ends end), 'infinity')
from counters as c
left join granted as g on g.rank = c.rank and g.feature_key = c.feature_key and g.judged = c.judged
left join plan_overrides as o on o.rank = c.rank and o.feature_key = c.feature_key and o.created <= c.judged
    and (o.ends is null or o.ends > c.judged)
order by c.rank, c.feature_key, c.month;
