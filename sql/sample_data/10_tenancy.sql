-- Tenants by size, their users, and how those log in.

-- The first ranks do business: sending tenants, with former ones evenly among them. The others are dealt
-- the statuses in turn. until: when the tenant's activity ended, or as_of.
create temp table plan_tenants on commit drop as
with ranks as (
    select rank, rank <= sending_tenants + former_tenants as business,
           rank * former_tenants / (sending_tenants + former_tenants) as formers,
           (rank - 1) * former_tenants / (sending_tenants + former_tenants) as formers_before,
           pg_temp.draw('tenants', rank, seed) as h, scale.*
    from scale, generate_series(1, tenants) as rank
), statuses as (
    select *, business and formers > formers_before as former,
           case when business and formers = formers_before then 'active'
                when business then case formers % 2 when 0 then 'deleted' else 'suspended' end
                else case rank % 10 when 0 then 'created' when 1 then 'suspended'
                                    when 2 then 'deleted' else 'active' end
           end as status
    from ranks
), times as (
    select *,
           as_of - pg_temp.days(case when business then 200 + 800 * pg_temp.share(h)
                                     when status = 'created' then 1 + 13 * pg_temp.share(h)
                                     else 60 + 900 * pg_temp.share(h) end) as created,
           case when status in ('suspended', 'deleted')
                then as_of - pg_temp.days(1 + 29 * pg_temp.share(h >> 32)) end as ended
    from statuses
), weights as (
    select *, case when business then 1 / rank::float8 else 0 end as weight,
           case when business and not former then 1 / rank::float8 else 0 end as sending_weight
    from times
), shares as (
    select *, sum(weight) over upto / sum(weight) over () as share,
           sum(sending_weight) over upto / sum(sending_weight) over () as sending_share
    from weights
    window upto as (order by rank)
), sizes as (
    select *, round(leads * share)::integer as leads_upto,
           round(running_campaigns * sending_share)::integer as running_upto,
           round(other_campaigns * share)::integer as others_upto,
           coalesce(' ' || nullif(rank / 500, 0), '') as suffix
    from shares
)
select rank, status, former, created, ended, coalesce(ended, as_of) as until,
       pg_temp.key(created, h) as id,
       pool.company || suffix as name,
       pool.host || replace(suffix, ' ', '-') || '.example' as host,
       lag(leads_upto, 1, 0) over by_rank as leads_before,
       leads_upto - lag(leads_upto, 1, 0) over by_rank as lead_count,
       running_upto - lag(running_upto, 1, 0) over by_rank as running_count,
       lag(others_upto, 1, 0) over by_rank as others_before,
       others_upto - lag(others_upto, 1, 0) over by_rank as other_count
from sizes
join pool on pool.n = rank % 500
window by_rank as (order by rank);

insert into public.tenants (id, name, created, updated, deleted, status, suspended_at)
select id, name, pg_temp.utc(created), pg_temp.utc(coalesce(ended, created)),
       case when status = 'deleted' then pg_temp.utc(ended) end, status,
       case when status = 'suspended' then pg_temp.at(ended) end
from plan_tenants
order by created, rank;

-- User n belongs to the tenant of rank n, then round again; the first round owns, and signed up within
-- the hour before. One in fifty of the others was removed.
create temp table plan_users on commit drop as
with drawn as (
    select n, (n - 1) % tenants + 1 as rank, n <= tenants as is_owner, as_of,
           pg_temp.draw('users', n, seed) as h
    from scale, generate_series(1, users) as n
), times as (
    select u.*, t.id as tenant_id, t.host, t.until, t.created as tenant_created,
           t.created + case when is_owner then -(60000 + 3600000 * pg_temp.share(u.h))
                            else (t.until - t.created) * pg_temp.share(u.h) end::bigint as created
    from drawn as u
    join plan_tenants as t using (rank)
)
select t.n, rank, is_owner, tenant_id, t.host, tenant_created, created, until, as_of,
       pg_temp.key(created, h) as id, first.first_name, last.last_name,
       lower(first.first_name || '.' || last.last_name || '.' || t.n || '@' || t.host) as email,
       case when not is_owner and t.n % 50 = 7
            then created + ((until - created) * pg_temp.share(h >> 20))::bigint end as removed,
       t.n % 20 <> 3 as verified
from times as t
join pool as first on first.n = pg_temp.word(h >> 32)
join pool as last on last.n = pg_temp.word(h >> 48);

insert into users.users
    (id, created, updated, deleted, name, family_name, given_name, email, email_verified)
select id, pg_temp.utc(created), pg_temp.utc(coalesce(removed, created)), pg_temp.utc(removed),
       first_name || ' ' || last_name, last_name, first_name, email,
       case when verified then pg_temp.utc(least(created + 60000, until)) end
from plan_users
order by created, n;

-- One in ten joined a second tenant, if that and they were still there.
with memberships as (
    select n, tenant_id, id as user_id, email, removed, greatest(created, tenant_created) as joined,
           case when is_owner then 'owner'
                else (array['admin', 'viewer', 'member', 'member', 'member'])[1 + n / 7 % 5] end as role
    from plan_users
    union all
    select u.n, t.id, u.id, u.email, u.removed, greatest(u.created, t.created) + 3600000, 'member'
    from scale
    cross join plan_users as u
    join plan_tenants as t on t.rank = (u.rank + u.n / 10 % (tenants - 1)) % tenants + 1
    where u.n % 10 = 4 and not u.is_owner
      and greatest(u.created, t.created) + 3600000 < least(t.until, u.until, u.removed)
)
insert into users.tenant_users (tenant_id, user_id, created, updated, deleted, roles, email)
select tenant_id, user_id, pg_temp.utc(joined), pg_temp.utc(coalesce(removed, joined)),
       pg_temp.utc(removed), array[role], email
from memberships
order by joined, n;

insert into auth.credentials (id, user_id, method, provider, payload, provider_account_id)
select pg_temp.key(created, h), id,
       case when by_google then 'GOOGLE' else 'EMAIL_PASSWORD' end,
       case when by_google then 'google' else 'nile' end,
       case when by_google then '{}' else jsonb_build_object('hash', '$2b$12$' || to_hex(h)) end,
       case when by_google then to_hex(h) end
from (
    select u.*, u.n % 5 = 0 as by_google, pg_temp.draw('credentials', u.n, seed) as h
    from scale, plan_users as u
) as u
order by created, n;

-- Three in ten of those who may are logged in, since at most a week, for a month.
insert into auth.sessions (id, expires_at, session_token, user_id)
select pg_temp.key(since, h), pg_temp.at(since + pg_temp.days(30)),
       to_hex(h) || to_hex(pg_temp.draw('session tokens', n, seed)), id
from (
    select u.*, seed, h, greatest(created, u.as_of - pg_temp.days(7 * pg_temp.share(h))) as since
    from scale
    cross join plan_users as u
    cross join lateral (select pg_temp.draw('sessions', u.n, seed) as h) as drawn
    where u.n % 10 in (1, 2, 3) and removed is null and until = u.as_of
) as u
order by since, n;

insert into auth.verification_tokens (identifier, token, expires)
select email, to_hex(pg_temp.draw('verification tokens', n, seed)), pg_temp.at(created + pg_temp.days(1))
from scale, plan_users
where not verified and removed is null
order by created, n;

-- Every fortieth user mistyped their password within the last day, as did somebody whom nobody knows.
insert into auth.log_in_attempts (identifier, attempts, since)
select email, 1 + n % 4, pg_temp.at(u.as_of - pg_temp.days(pg_temp.share(pg_temp.draw('attempts', n, seed))))
from scale, plan_users as u
where n % 40 = 1 and removed is null
union all
select 'nobody@nowhere.example', 5, pg_temp.at(as_of - pg_temp.days(0.5)) from scale;

-- The owner of every fourth living tenant has invited somebody in the last two weeks; half of the
-- invites have expired.
insert into auth.invites (tenant_id, id, identifier, token, roles, created_by, expires)
select tenant_id, pg_temp.key(sent, h), 'guest.' || n || '@' || host, to_hex(h), '{member}', id,
       pg_temp.at(sent + pg_temp.days(7))
from (
    select u.*, h, greatest(tenant_created, u.as_of - pg_temp.days(14 * pg_temp.share(h))) as sent
    from scale
    cross join plan_users as u
    cross join lateral (select pg_temp.draw('invites', u.n, seed) as h) as drawn
    where is_owner and u.n % 4 = 1 and until = u.as_of
) as u
order by sent, n;
