-- The trial's own world, in a copy of the OLTP: tenants with a verified domain and seasoned mailboxes, servers with
-- addresses, and a schema of notes by which everything is judged.

-- name: ground (administrator)
create schema trial;
create table trial.cases (
    place integer primary key, name text not null, tenant_id uuid, smtp_ip_id uuid, account_id uuid,
    sent integer not null, bounces integer not null, complaints integer not null, intended text not null, recovers_to text not null);
create table trial.warmth as
    select id as smtp_ip_id, warmup_curve, warmup_day, last_sent_at, daily_cap from infrastructure.smtp_ips;
create table trial.contested (smtp_ip_id uuid not null, winner uuid);
create table trial.doomed (
    smtp_ip_id uuid primary key, owner_id uuid not null, cause text not null, sent_before bigint not null,
    began timestamptz not null, recovered boolean not null default false);
create table trial.before (assigned bigint not null);
create table trial.moves (
    stage text not null, smtp_ip_id uuid, replacement uuid, refusal text, at timestamptz not null default clock_timestamp());
create table trial.outcomes (stage text not null, operation text not null, outcome text not null, calls bigint not null);
-- Each mail a transaction, so that sessions meet at the last one that is left.
create procedure trial.send(tenant uuid, at timestamptz, mails integer) language plpgsql as $$
declare
    slot record;
    sent integer := 0;
    waits integer := 0;
begin
    while sent < mails and waits < 20 loop
        select * into slot from infrastructure.take_send_slot(tenant, at);
        commit;
        if slot.refusal is null then
            sent := sent + 1;
        elsif slot.refusal = 'minimum_gap' then
            waits := waits + 1;
            perform pg_sleep(0.001);
        else
            exit;
        end if;
    end loop;
end
$$;
grant usage on schema trial to lab_platform;
grant select, insert, update on all tables in schema trial to lab_platform;
grant execute on procedure trial.send to lab_platform;

-- name: settings
-- Durability is measured elsewhere; here it would only make the month longer.
select set_config('synchronous_commit', 'off', false), set_config('statement_timeout', '60s', false)

-- name: begins
-- The morning after the sample data ends.
select (coalesce(max(day), date '2025-12-31') + 1)::timestamp at time zone 'UTC' + interval '9 hours' from infrastructure.daily_sends

-- name: tenants
insert into public.tenants (name, status) select 'trial-' || n, 'active' from generate_series(1, %(tenants)s) as n

-- name: domains
with made as (
    insert into infrastructure.domains (tenant_id, name, status, dkim_public_key, next_check_at, verified_at, created_at, updated_at)
    select id, name || '.example', 'verified', 'MIIB', %(at)s + interval '1 year', %(at)s, %(at)s, %(at)s
    from public.tenants where name like 'trial-%%'
    returning tenant_id, id, name_norm
)
insert into infrastructure.verified_domains (name_norm, owner_tenant_id, domain_id, verified_at)
select name_norm, tenant_id, id, %(at)s from made

-- name: mailboxes
-- Two each: only their address is to hold them back.
insert into infrastructure.email_accounts
    (tenant_id, domain_id, address, provider, daily_cap, minimum_gap, warmup_day, last_sent_at, created_at, updated_at)
select d.tenant_id, d.id, 'box' || n || '@' || d.name, 'smtp', 100000, '0', 100, %(at)s - interval '1 day', %(at)s, %(at)s
from infrastructure.domains d, generate_series(1, 2) as n
where d.name like 'trial-%%'

-- name: servers
insert into infrastructure.vps_instances (name, provider, region, status, created_at)
select %(prefix)s || n, 'hetzner', 'eu', 'active', %(at)s - interval '1 day' from generate_series(1, %(servers)s) as n

-- name: addresses
-- Cold, on three curves: ours for mailboxes (small, so that it binds), SendGrid's by the hour, and ours for addresses.
with made as (
    insert into infrastructure.smtp_ips (vps_instance_id, address, daily_cap, warmup_curve, created_at)
    select v.id, %(first)s::inet + n::integer, case n %% 4 when 0 then 20 when 1 then 25 when 2 then 40 else 1000 end,
           case n %% 4 when 0 then 'sendgrid' when 3 then 'standard' else 'mailbox' end, %(at)s - interval '1 day'
    from generate_series(1, %(addresses)s) as n
    join infrastructure.vps_instances v on v.name = %(prefix)s || (1 + n %% %(servers)s)
    returning *
)
insert into trial.warmth (smtp_ip_id, warmup_curve, warmup_day, last_sent_at, daily_cap)
select id, warmup_curve, warmup_day, last_sent_at, daily_cap from made

-- name: free
select count(*) from infrastructure.smtp_ips i
join infrastructure.vps_instances v on v.id = i.vps_instance_id
where i.status = 'available' and i.health in ('healthy', 'watched') and v.status = 'active'

-- name: own
-- In an order, the trial's tenants.
select id from public.tenants where name like 'trial-%%' order by substr(name, 7)::integer

-- name: rented_long_ago
-- One of the addresses that are warmed up has sent before, long enough ago to be cold again.
with aged as (
    update infrastructure.smtp_ips i set warmup_day = 15, last_sent_at = %(at)s - interval '31 days'
    where i.owner_tenant_id = %(tenant)s
    returning i.id, i.warmup_day, i.last_sent_at
)
update trial.warmth w set warmup_day = a.warmup_day, last_sent_at = a.last_sent_at from aged a where w.smtp_ip_id = a.id

-- name: cases
-- What came back of so many mails in a week, the band that SES's and Gmail's limits put it in, and where a clean week leads.
insert into trial.cases (place, name, sent, bounces, complaints, intended, recovers_to)
values
    (1, 'clean', 700, 0, 0, 'healthy', 'healthy'),
    (2, '2.9 %% bounces', 700, 20, 0, 'watched', 'healthy'),
    (3, '6 %% bounces', 700, 42, 0, 'throttled', 'watched'),
    (4, '9 %% bounces', 700, 63, 0, 'quarantined', 'throttled'),
    (5, '12 %% bounces', 700, 84, 0, 'blocked', 'blocked'),
    (6, '0.14 %% complaints', 2800, 0, 4, 'watched', 'healthy'),
    (7, '0.25 %% complaints', 2800, 0, 7, 'throttled', 'watched'),
    (8, '0.4 %% complaints', 2800, 0, 11, 'quarantined', 'throttled'),
    (9, '0.6 %% complaints', 2800, 0, 17, 'blocked', 'blocked'),
    (10, '20 of 49 mails bounced', 49, 20, 0, 'healthy', 'healthy'),
    (11, '5 of 490 mails complained of', 490, 0, 5, 'healthy', 'healthy')

-- name: deal
-- Each case a tenant and an address of its own, which is warm and may send twenty a day.
update trial.cases c set tenant_id = %(tenant)s, smtp_ip_id = %(address)s,
    account_id = (select min(a.id::text)::uuid from infrastructure.email_accounts a where a.tenant_id = %(tenant)s)
where c.place = %(place)s

-- name: season
update infrastructure.smtp_ips i set warmup_day = 100, last_sent_at = %(at)s - interval '1 day', daily_cap = 20
from trial.cases c where c.smtp_ip_id = i.id

-- name: seasoned
update trial.warmth w set warmup_day = i.warmup_day, last_sent_at = i.last_sent_at, daily_cap = i.daily_cap
from infrastructure.smtp_ips i join trial.cases c on c.smtp_ip_id = i.id where w.smtp_ip_id = i.id

-- name: week
-- What each case sent in the seven days up to this one.
insert into infrastructure.daily_sends (tenant_id, email_account_id, smtp_ip_id, day, sent, account_allowance, address_allowance)
select c.tenant_id, c.account_id, c.smtp_ip_id, (%(at)s at time zone 'UTC')::date - ago, c.sent / 7, c.sent / 7, c.sent / 7
from trial.cases c, generate_series(0, 6) as ago
on conflict on constraint daily_sends_day_key do update set sent = excluded.sent
