-- What tenants and users chose, how tenants are restricted, and features on their way out to everybody.

-- Two settings in nine are changed by a tenant, who had the owner do it; a user has changed a third of
-- what users may. Numbers stay near what ships.
create function pg_temp.chosen(s configuration.settings, h bigint) returns jsonb
    language sql immutable
    return case s.value_type
        when 'boolean' then to_jsonb(s.default_value <> 'true')
        when 'integer' then to_jsonb(greatest(s.minimum, least(s.maximum,
            round((s.default_value #>> '{}')::numeric * (0.5 + 1.5 * pg_temp.share(h))::numeric))))
        else coalesce(to_jsonb(s.choices[1 + (h & 65535) % cardinality(s.choices)]),
                      to_jsonb((array['Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'UTC'])[1 + (h & 3)]))
    end;

insert into configuration.tenant_settings (tenant_id, setting_key, value, updated_by, updated_at)
select t.id, s.key,
       case s.key when 'billing.invoice_email' then to_jsonb('accounts@' || t.host) else pg_temp.chosen(s, h) end,
       owner.id, pg_temp.at(t.created + ((t.until - t.created) * pg_temp.share(h >> 20))::bigint)
from scale
cross join plan_tenants as t
join plan_users as owner on owner.n = t.rank
cross join configuration.settings as s
cross join lateral (select pg_temp.draw('setting ' || s.key, t.rank, seed) as h) as drawn
where t.status <> 'created' and s.scope <> 'system' and (h >> 40 & 1023) < 228
order by t.rank, s.key;

insert into configuration.user_preferences (tenant_id, user_id, setting_key, value, updated_at)
select u.tenant_id, u.id, s.key, pg_temp.chosen(s, h),
       pg_temp.at(joined + ((coalesce(u.removed, u.until) - joined) * pg_temp.share(h >> 20))::bigint)
from scale
cross join plan_users as u
cross join configuration.settings as s
cross join lateral (select pg_temp.draw('preference ' || s.key, u.n, seed) as h,
                           greatest(u.created, u.tenant_created) as joined) as drawn
where s.scope = 'user' and (h >> 40 & 1023) < 341
order by u.n, s.key;

-- A tenth of the tenants that send restrict themselves, or are restricted, early and generously, so that
-- all they did since is within.
insert into configuration.tenant_policies
    (tenant_id, policy_key, imposed_limit, imposed_values, own_limit, own_values, updated_at)
with days as (
    select tenant_id, max(sent) as most
    from (select tenant_id, sum(sent) as sent from infrastructure.daily_sends group by tenant_id, day) as day
    group by tenant_id
), used as (
    select tenant_id, array_agg(distinct provider order by provider) as providers
    from infrastructure.email_accounts
    group by tenant_id
), restricted as (
    select t.*, coalesce(most, 0) as most, coalesce(providers, '{google}') as providers,
           pg_temp.draw('policies', t.rank, seed) as h
    from scale
    cross join plan_tenants as t
    left join days on days.tenant_id = t.id
    left join used on used.tenant_id = t.id
    where t.rank % 10 = 3 and t.status <> 'created'
)
select id, policy_key, imposed_limit, imposed_values, own_limit, own_values, pg_temp.at(created + 3600000)
from restricted
cross join lateral (values
    (0, 'emails_per_day', 2 * greatest(most, 500), null::text[], null::bigint, null::text[]),
    (1, 'emails_per_day', null, null, 500 * (1 + most / 500), null),
    (2, 'allowed_providers', null, null, null, providers),
    (3, 'notification_channels', null, null, null, '{email}'),
    (4, 'notification_channels', null, '{in_app}', null, null),
    (5, 'event_retention_days', null, null, 730, null)
) as p (n, policy_key, imposed_limit, imposed_values, own_limit, own_values)
where n = (h & 65535) % 6 or n = 2 and h >> 20 & 1 = 0
order by rank, n;

-- A flag for twenty tenants, and twenty at least. Of ten: one killed, one not begun, four under way, four
-- out. These tables belong to no tenant: what was in them goes.
delete from configuration.feature_flags;
delete from configuration.segments;

insert into configuration.segments (key, description, plans, roles, joined_before) values
    ('owners', 'Who owns their tenant.', null, '{owner}', null),
    ('administrators', 'Who runs their tenant.', null, '{owner,admin}', null),
    ('enterprise', 'Tenants on the largest plan.', '{enterprise}', null, null),
    ('paying', 'Tenants that pay.', '{starter,growth,scale,enterprise}', null, null),
    ('owners_who_pay', 'Owners of tenants that pay.', '{starter,growth,scale,enterprise}', '{owner}', null);
insert into configuration.segments (key, description, joined_before)
select 'early_adopters', 'Tenants from the first years.', pg_temp.at(as_of - pg_temp.days(700)) from scale;

create temp table plan_flags on commit drop as
with numbered as (
    select n, as_of, pg_temp.draw('flags', n, seed) as h,
           (array['new', 'faster', 'smart', 'shared', 'bulk', 'live', 'guided', 'custom', 'quiet', 'linked'])[1 + n % 10]
           || '-' || (array['inbox', 'editor', 'reports', 'warm-up', 'import', 'calendar', 'templates', 'search',
                            'dashboard', 'webhooks'])[1 + n / 10 % 10]
           || coalesce('-' || nullif(n / 100, 0), '') as key
    from scale, generate_series(0, least(1000, greatest(20, tenants / 20)) - 1) as n
)
select n, h, key, as_of - pg_temp.days(30 + 370 * pg_temp.share(h)) as created,
       as_of - pg_temp.days(30 * pg_temp.share(h >> 20)) as updated,
       (h >> 40 & 65535) % 10 as stage,
       case n % 4 when 1 then 'tenant' else 'user' end as stickiness
from numbered;

insert into configuration.feature_flags
    (key, description, enabled, stickiness, group_id, rollout, segment_key, segment_rollout, created_at, updated_at)
select key, initcap(replace(key, '-', ' ')) || ': released to ever more, and taken back at once should it misbehave.',
       stage > 0, stickiness, key,
       case when stage = 1 then 0 when stage > 5 then 100 else (array[5, 10, 25, 50, 75])[1 + (h & 65535) % 5] end,
       segment_key, case when segment_key is not null then 100 end, pg_temp.at(created), pg_temp.at(updated)
from plan_flags
cross join lateral (select case when n % 5 = 2 and stage < 6 then (array[
    'owners', 'administrators', 'enterprise', 'early_adopters', 'owners_who_pay'])[1 + n / 5 % 5] end) as aimed (segment_key)
order by n;

insert into configuration.flag_variants (flag_key, position, variant, weight, payload)
select key, position, (array['control', 'compact', 'colourful'])[position], (array[50, 30, 20])[position],
       jsonb_build_object('columns', position)
from plan_flags, generate_series(1, 2 + n % 2) as position
where n % 7 = 3;

-- Every fifth flag was given to, or kept from, some of the living ahead of its time.
insert into configuration.tenant_flag_overrides (tenant_id, flag_key, enabled, variant, updated_at)
select t.id, f.key, is_on, case when is_on then v.variant end,
       pg_temp.at(greatest(t.created, f.created) + ((f.updated - greatest(t.created, f.created)) * pg_temp.share(draw))::bigint)
from scale
cross join plan_tenants as t
cross join plan_flags as f
cross join lateral (select pg_temp.draw(f.key, t.rank, seed) as draw) as drawn
cross join lateral (select draw >> 33 & 3 > 0 as is_on) as decided
left join configuration.flag_variants as v on v.flag_key = f.key and v.position = 1
where f.n % 5 = 0 and t.status = 'active' and t.created < f.updated and (draw >> 40 & 1023) < 20
order by t.rank, f.n;

insert into configuration.user_flag_overrides (tenant_id, user_id, flag_key, enabled, updated_at)
select u.tenant_id, u.id, f.key, draw >> 33 & 3 > 0,
       pg_temp.at(since + ((f.updated - since) * pg_temp.share(draw))::bigint)
from scale
cross join plan_users as u
cross join plan_flags as f
cross join lateral (select pg_temp.draw(f.key || ' user', u.n, seed) as draw,
                           greatest(u.created, u.tenant_created, f.created) as since) as drawn
where f.n % 5 = 0 and u.removed is null and u.until = u.as_of and since < f.updated and (draw >> 40 & 1023) < 3 + 600 / tenants
order by u.n, f.n;
