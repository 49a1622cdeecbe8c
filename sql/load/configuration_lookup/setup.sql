-- The slice: tenants named load:RUN with four users each at load.example, and flags and settings of their
-- own, named load..., which nobody else asks for. Of three flags one is steady, one grows (its rollout never
-- shrinks), one changes at will. teardown.sql removes it all.

-- name: tables (administrator)
create table scratch_load.accounts (account integer primary key, tenant_id uuid not null unique);
create table scratch_load.began (at timestamptz not null);
-- Answers of steady flags, known beforehand; and who was told that a growing one is on.
create table scratch_load.answers (
    answer integer primary key, tenant_id uuid not null, user_id uuid not null, flag_key text not null, is_on boolean not null
);
create table scratch_load.told (tenant_id uuid, user_id uuid, flag_key text, primary key (tenant_id, user_id, flag_key));
create table scratch_load.sends (tenant_id uuid, session integer, sent bigint not null, primary key (tenant_id, session))
    with (fillfactor = 50);
grant select on scratch_load.answers to lab_app;
grant select, insert, update on scratch_load.told to lab_app;
grant select, insert, update on all tables in schema scratch_load to lab_platform;

-- name: lookups (administrator)
-- Numbers are in the ids: nothing is looked up.
do $$
declare
    prefix constant text := left(public.uuid_generate_v7()::text, 24);
begin
    execute format(
        'create function scratch_load.account(account integer) returns uuid language sql immutable '
        'parallel safe return (%L || lpad(to_hex(account), 12, ''0''))::uuid', prefix);
    execute format(
        'create function scratch_load.member(account integer, member integer) returns uuid language sql immutable '
        'parallel safe return (%L || lpad(to_hex(account * 16 + member), 12, ''0''))::uuid',
        left(public.uuid_generate_v7()::text, 24));
    execute format(
        'create function scratch_load.flag(flag integer) returns text language sql immutable '
        'parallel safe return %L || flag', 'load-' || left(md5(prefix), 8) || '-');
    execute format(
        'create function scratch_load.setting(setting integer) returns text language sql immutable '
        'parallel safe return %L || setting', 'load.s' || left(md5(prefix), 8) || '_');
end
$$;

-- name: answers (administrator)
-- Who sends asks first, and then counts the mail, in one transaction.
create function scratch_load.send(tenant uuid, session integer) returns text
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    at constant timestamptz := now();
    refusal constant text := configuration.send_refusal(tenant, at);
begin
    if refusal is null then
        insert into infrastructure.daily_sends as s (tenant_id, email_account_id, day, sent)
        select tenant, a.id, (at at time zone 'UTC')::date, 1
        from infrastructure.email_accounts a
        where a.tenant_id = tenant and a.address = 'first@' || tenant || '.load.example'
        on conflict on constraint daily_sends_day_key do update set sent = s.sent + 1;
        insert into scratch_load.sends as s (tenant_id, session, sent) values (tenant, send.session, 1)
        on conflict on constraint sends_pkey do update set sent = s.sent + 1;
    end if;
    return scratch_load.note('send_mail', coalesce(refusal, 'sent'), session);
end
$$;

-- An application reads what it has just written.
create function scratch_load.set_preference(tenant uuid, member uuid, setting text, value integer, session integer)
    returns text
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    perform configuration.set_user_preference(tenant, member, setting, to_jsonb(value));
    if configuration.resolve_setting(tenant, member, setting) <> to_jsonb(value) then
        raise exception 'setting % is not what was set', setting using errcode = 'P0004';
    end if;
    return scratch_load.note('setting_change', 'set', session);
exception
    when check_violation then
        return scratch_load.note('setting_change', 'refused', session);
end
$$;

-- name: began
insert into scratch_load.began (at) values (clock_timestamp());

-- name: accounts
with made as (
    insert into public.tenants (id, name, status, created)
    select scratch_load.account(n), 'load:' || %(run_id)s, 'active', localtimestamp - make_interval(days => n)
    from generate_series(1, %(accounts)s) as n
    returning id
)
insert into scratch_load.accounts (account, tenant_id)
select n, m.id from generate_series(1, %(accounts)s) as n join made m on m.id = scratch_load.account(n);

-- name: users
with made as (
    insert into users.users (id, name, email)
    select scratch_load.member(n, m), 'Load ' || n || ' ' || m, scratch_load.member(n, m) || '@load.example'
    from generate_series(1, %(accounts)s) as n, generate_series(1, 4) as m
    returning id, email
)
insert into users.tenant_users (tenant_id, user_id, roles, email)
select scratch_load.account(n), made.id, case m when 1 then '{owner}'::text[] when 2 then '{admin}' else '{member}' end, made.email
from generate_series(1, %(accounts)s) as n
cross join generate_series(1, 4) as m
join made on made.id = scratch_load.member(n, m);

-- name: subscriptions
-- Free, or on trial: nothing is owed.
select billing.create_subscription(
    scratch_load.account(n), (array['free', 'starter', 'growth', 'scale'])[1 + n %% 4])
from generate_series(1, %(accounts)s) as n;

-- name: limits
-- Mailboxes are limited by policy alone.
select billing.set_override(scratch_load.account(n), 'email_accounts', null, 'A load run.')
from generate_series(1, %(accounts)s) as n;

-- name: domains
with named as (
    insert into infrastructure.domains (tenant_id, name, status, dkim_public_key, verified_at, next_check_at)
    select tenant_id, tenant_id || '.load.example', 'verified', 'none', now(), 'infinity'
    from scratch_load.accounts
    returning tenant_id, id, name, name_norm
), verified as (
    insert into infrastructure.verified_domains (name_norm, owner_tenant_id, domain_id, verified_at)
    select name_norm, tenant_id, id, now() from named
)
insert into infrastructure.email_accounts (tenant_id, domain_id, address, provider)
select tenant_id, id, 'first@' || name, 'google' from named;

-- name: segments
insert into configuration.segments (key, description, plans, roles) values
    ('load_growing', 'Tenants of a load run that grow.', '{growth,scale}', null),
    ('load_owners', 'Owners in a load run.', null, '{owner}')
on conflict do nothing;  -- a killed run has left them

-- name: flags
select configuration.create_flag(
    scratch_load.flag(n), 'A flag of a load run.', (array[0, 10, 25, 50, 75, 100])[1 + n %% 6],
    case when n %% 4 = 0 then 'tenant' else 'user' end)
from generate_series(1, %(flags)s) as n;

-- name: aims
select configuration.set_rollout(
    scratch_load.flag(n), 10, case when n %% 10 = 0 then 'load_growing' else 'load_owners' end, 50)
from generate_series(5, %(flags)s, 5) as n;

-- name: variants
insert into configuration.flag_variants (flag_key, position, variant, weight)
select scratch_load.flag(n), v, 'variant-' || v, 50
from generate_series(1, %(flags)s, 7) as n, generate_series(1, 2) as v;

-- name: overrides
-- One tenant in fifty, and one user in fifty, has each tenth flag turned on or off.
select configuration.override_flag(scratch_load.account(n), null, scratch_load.flag(f), n %% 100 = 0)
from generate_series(50, %(accounts)s, 50) as n, generate_series(10, %(flags)s, 10) as f
union all
select configuration.override_flag(scratch_load.account(n), scratch_load.member(n, 1), scratch_load.flag(f), true)
from generate_series(25, %(accounts)s, 50) as n, generate_series(10, %(flags)s, 10) as f;

-- name: settings
insert into configuration.settings (key, category, description, value_type, scope, default_value, minimum, maximum, plan_values)
select scratch_load.setting(n), 'interface', 'A setting of a load run.', 'integer', 'user', '10', 0, 90,
       case when n %% 2 = 0 then '{"scale": 20}' else '{}' end::jsonb
from generate_series(1, %(settings)s) as n;

-- name: choices
-- Every tenant has chosen something, and one user in four.
select configuration.set_tenant_setting(scratch_load.account(n), scratch_load.setting(s), to_jsonb(30 + s))
from generate_series(1, %(accounts)s) as n, generate_series(1, %(settings)s, 3) as s
union all
select configuration.set_user_preference(scratch_load.account(n), scratch_load.member(n, 1), scratch_load.setting(s), to_jsonb(50 + s))
from generate_series(1, %(accounts)s) as n, generate_series(1, %(settings)s, 5) as s;

-- name: policies
-- Sendgrid is allowed to nobody, whatever changes; those at the edge may send forty mails a day, and never more.
select configuration.impose_policy(scratch_load.account(n), 'allowed_providers', policy_values => '{smtp,google,microsoft,ses}')
from generate_series(1, %(accounts)s) as n
union all
select configuration.impose_policy(scratch_load.account(n), 'emails_per_day', 40)
from generate_series(1, %(edges)s) as n;

-- name: known_answers
insert into scratch_load.answers (answer, tenant_id, user_id, flag_key, is_on)
select n, scratch_load.account(a), scratch_load.member(a, m), scratch_load.flag(f),
       configuration.flag_enabled(scratch_load.account(a), scratch_load.member(a, m), scratch_load.flag(f))
from generate_series(1, %(answers)s) as n
cross join lateral (select 1 + n %% %(accounts)s, 1 + n %% 4, 3 * (1 + n %% (%(flags)s / 3))) as pick (a, m, f);
