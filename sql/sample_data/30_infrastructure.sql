-- What the campaigns were sent with: domains and their DNS, accounts, addresses on servers, what went
-- through each on each day, and what that cost. The mails of a tenant go round its accounts in turn.

-- Who does business has domains: a tenth of the sending tenants share two for each of those by Zipf's
-- law, the others have one each. Accounts and addresses are so many that none ever exceeds its warm-up.
create temp table plan_senders on commit drop as
with volumes as (
    select tenant_id, min(first) as first_sent, max(mails) as peak
    from (
        select tenant_id, sent / pg_temp.days(1) as day, min(sent) as first, count(*) as mails
        from plan_executions
        where sent is not null
        group by 1, 2
    ) as days
    group by tenant_id
), ranked as (
    select t.rank, t.id as tenant_id, t.host, t.status, t.created, t.ended, as_of, seed,
           coalesce(first_sent, t.until) as first_sent, coalesce(peak, 1) as peak,
           2 * sending_tenants as shared_domains, rank <= greatest(1, sending_tenants / 10) as shares
    from scale
    cross join plan_tenants as t
    left join volumes as v on v.tenant_id = t.id
    where t.rank <= sending_tenants + former_tenants
), dealt as (
    select *, case when shares then round(shared_domains * sum(1 / rank::float8) over upto
                                          / sum(1 / rank::float8) over (partition by shares)) end as domains_upto
    from ranked
    window upto as (partition by shares order by rank)
)
select rank, tenant_id, host, status, created, ended, as_of, seed, first_sent, peak,
       case when status = 'deleted' then ended end as closed,
       greatest(1, coalesce(domains_upto - lag(domains_upto, 1, 0::float8) over (partition by shares order by rank), 1)
               )::integer as domain_count,
       ceil(peak / 60.0)::integer as address_count
from dealt;

-- The first domain of each tenant is verified. closed: decommissioned then.
create temp table plan_domains on commit drop as
with numbered as (
    select row_number() over (order by rank, k) as n, s.*, k,
           pg_temp.draw('domains', rank * 4096 + k, seed) as h
    from plan_senders as s, generate_series(1, domain_count) as k
), states as (
    select *, case when status = 'deleted' then 'decommissioned'
                   when k = 1 then 'verified'
                   else case (h & 65535) % 20 when 0 then 'pending' when 1 then 'failing'
                                              when 2 then 'decommissioned' else 'verified' end
              end as domain_status,
           status = 'deleted' or k = 1 or (h & 65535) % 20 > 2 as sends
    from numbered
), times as (
    select *, case when domain_status = 'pending' then as_of - pg_temp.days(1 + 9 * pg_temp.share(h))
                   else created + ((first_sent - pg_temp.days(10) - created) * pg_temp.share(h))::bigint end as added
    from states
)
select n, rank, k, tenant_id, seed, as_of, first_sent, domain_status as status, sends, h, added,
       case when k = 1 then host else replace(host, '.example', '-m' || k || '.example') end as name,
       case when domain_status <> 'pending' then added + 3600000 end as verified,
       case when domain_status = 'failing' then as_of - pg_temp.days(1 + 4 * pg_temp.share(h >> 20)) end as failed,
       case when domain_status = 'decommissioned'
            then coalesce(closed, as_of - pg_temp.days(1 + 19 * pg_temp.share(h >> 20))) end as closed,
       -- Looked up daily while verified, else hourly: the last time was that long ago at most.
       case when domain_status = 'decommissioned' then null
            else as_of - (case when domain_status = 'verified' then 86000000 else 3500000 end
                          * pg_temp.share(h >> 8))::bigint end as last_check,
       pg_temp.key(added, h) as id
from times;

insert into infrastructure.domains
    (tenant_id, id, name, status, dkim_public_key, next_check_at, verified_at, decommissioned_at, created_at, updated_at)
select tenant_id, id, name, status, 'MIGf' || to_hex(h) || to_hex(pg_temp.draw('dkim keys', n, seed)),
       pg_temp.at(last_check + case when status = 'verified' then pg_temp.days(1) else 3600000 end),
       pg_temp.at(verified), pg_temp.at(closed), pg_temp.at(added),
       pg_temp.at(coalesce(closed, failed, verified, added))
from plan_domains
order by added, n;

insert into infrastructure.verified_domains (name_norm, owner_tenant_id, domain_id, verified_at)
select name, tenant_id, id, pg_temp.at(verified)
from plan_domains
where status = 'verified'
order by n;

-- A record is missing until the domain is verified; some never publish an MX or a DMARC record.
create temp table plan_records on commit drop as
select d.n * 8 + place as n, d.n as domain, d.tenant_id, d.id as domain_id, added, verified, failed, closed, last_check,
       d.status as domain_status, pg_temp.key(added, pg_temp.draw('dns records', d.n * 8 + place, d.seed)) as id,
       r.kind, r.type, r.host, r.expected, d.seed,
       case when r.kind = 'mx' and d.h & 7 = 0 or r.kind = 'dmarc' and d.h & 7 in (1, 2) then null
            when d.status = 'pending' and r.kind = 'dkim' then null
            else coalesce(verified, added + 1800000) end as published,
       case when r.kind = 'spf' then failed end as lost
from plan_domains as d
join infrastructure.domains as stored on stored.tenant_id = d.tenant_id and stored.id = d.id
cross join lateral infrastructure.expected_dns_records(stored.name_norm, stored.dkim_selector, stored.dkim_public_key)
    with ordinality as r (kind, type, host, expected, place);

-- The look-ups that mattered, and those of the last week.
create temp table plan_checks on commit drop as
with times as (
    select r.*, at
    from plan_records as r
    cross join lateral (
        select added + 300000 as at
        union select verified
        union select failed
        union select last_check - pg_temp.days(day)
              from generate_series(0, case domain_status when 'pending' then 0 else 6 end) as day) as looked_up
    where at is not null and (at >= coalesce(verified, last_check) or at = added + 300000)
), judged as (
    select *, published is not null and at >= published and (lost is null or at < lost) as is_ok
    from times
)
select *, row_number() over by_record as place, lag(is_ok) over by_record as was_ok,
       lead(at) over by_record is null as is_last
from judged
window by_record as (partition by n order by at);

insert into infrastructure.dns_records
    (tenant_id, id, domain_id, kind, type, host, expected, status, observed, checked_at, created_at)
select tenant_id, id, domain_id, kind, type, host, expected, case when is_ok then 'ok' else 'missing' end,
       case when is_ok then array[expected] else '{}' end, pg_temp.at(at), pg_temp.at(added)
from plan_checks
where is_last
order by added, n;

insert into infrastructure.dns_checks
    (tenant_id, id, dns_record_id, checked_at, status, observed, lookups, drift)
select tenant_id, pg_temp.key(at, pg_temp.draw('dns checks', n * 64 + place, seed)), id, pg_temp.at(at),
       case when is_ok then 'ok' else 'missing' end, case when is_ok then array[expected] else '{}' end,
       case when is_ok and kind = 'spf' then 1 end,
       case when was_ok and not is_ok then 'lost' when is_ok and not was_ok then 'restored' end
from plan_checks
order by at / pg_temp.days(1), tenant_id, n, at;

-- Every domain that was ever verified has an account; one in eight is with another provider.
create temp table plan_accounts on commit drop as
with hosts as (
    select d.*, count(*) filter (where sends) over (partition by rank) as hosts,
           row_number() over (partition by rank, sends order by k) as place
    from plan_domains as d
    where status <> 'pending'
), counted as (
    select h.*, address_count, greatest(3, ceil(peak / 8.0), hosts)::integer as sending_accounts
    from hosts as h
    join plan_senders using (rank)
), numbered as (
    select row_number() over (order by rank, not sends, i, place) as n,
           row_number() over (partition by rank, sends order by i, place) - 1 as turn,
           count(*) over (partition by rank, sends) as turns,
           tenant_id, id as domain_id, name as domain, seed, sends, verified, closed, address_count, i,
           pg_temp.draw('accounts', rank * 65536 + k * 256 + i, seed) as h
    from counted
    cross join lateral generate_series(
        1, case when sends then sending_accounts / hosts + (place <= sending_accounts % hosts)::integer
                else 1 end) as i
), opened as (
    select *, verified + pg_temp.days(0.1 + 4.8 * pg_temp.share(h)) as opened
    from numbered
)
select a.n, tenant_id, pg_temp.key(opened, h) as id, domain_id, lower(first_name) || i || '@' || domain as address,
       sends, turn, turns, opened, closed, h, turn % address_count + 1 as k,
       case when sends and turn = 0 or h & 7 > 0 then 'smtp'
            else (array['google', 'microsoft'])[1 + (h >> 3 & 1)] end as provider
from opened as a
join pool on pool.n = pg_temp.word(h >> 32);

-- Addresses are dealt so that those of a tenant are on different servers, eight a server; one in nine is
-- free, and the last server was given up.
create temp table plan_addresses on commit drop as
with wanted as (
    select row_number() over (order by k, rank) as n, rank, tenant_id, first_sent, closed, k
    from plan_senders, generate_series(1, address_count) as k
), all_of_them as (
    select n, 1 + (n - 1) / 8 as instance, (n - 1) % 8 as slot, 1 + (total - 1) / 8 as last_instance
    from (select count(*) + count(*) / 8 + 8 as total from wanted) as counted, generate_series(1, total) as n
)
select n, instance, slot, w.rank, w.tenant_id, w.closed, w.k, seed, as_of, h,
       as_of - pg_temp.days(200 + 200 * pg_temp.share(pg_temp.draw('instances', instance, seed))) as rented,
       first_sent - pg_temp.days(5 + 2 * pg_temp.share(h)) as assigned,
       case when instance = last_instance then as_of - pg_temp.days(20) end as retired
from scale
cross join all_of_them
cross join lateral (select pg_temp.draw('addresses', n, seed) as h) as drawn
left join wanted as w using (n);

insert into infrastructure.vps_instances (id, name, provider, region, status, created_at, retired_at)
select distinct on (instance)
       pg_temp.key(rented, pg_temp.draw('instances', instance, seed)), 'mta' || instance || '.mailer.example',
       (array['hetzner', 'ovh', 'vultr', 'contabo'])[1 + instance % 4],
       (array['eu-central', 'eu-west', 'us-east'])[1 + instance % 3],
       case when retired is null then 'active' else 'retired' end, pg_temp.at(rented), pg_temp.at(retired)
from plan_addresses
order by instance;

-- How much each account and address sent on each day of sending, and on which day of its warm-up: that
-- starts over when it has sent nothing for 30 days.
analyze pg_temp.plan_accounts, pg_temp.plan_addresses, pg_temp.plan_executions;

create temp table plan_sends on commit drop as
with mails as (
    select x.n, x.tenant_id, x.sent, x.bounced, x.left_by, x.left_at, row_number() over (partition by x.tenant_id order by x.sent, x.n) % first.turns as turn
    from plan_executions as x
    join plan_accounts as first on first.tenant_id = x.tenant_id and first.sends and first.turn = 0
    where x.sent is not null
)
select m.n, m.tenant_id, a.n as account, a.id as email_account_id,
       case when a.provider = 'smtp' then i.n end as address,
       case when a.provider = 'smtp' then pg_temp.key(i.rented, i.h) end as smtp_ip_id,
       m.sent, m.bounced, case when m.left_by = 'complained' then m.left_at end as complained
from mails as m
join plan_accounts as a on a.tenant_id = m.tenant_id and a.sends and a.turn = m.turn
join plan_addresses as i on i.tenant_id = m.tenant_id and i.k = a.k;

create temp table plan_days on commit drop as
with counted as (
    select account, address, sent / pg_temp.days(1) as day, min(sent) as first, max(sent) as last, count(*) as mails
    from plan_sends
    group by grouping sets ((account, sent / pg_temp.days(1)), (address, sent / pg_temp.days(1)))
), gaps as (
    select *, coalesce(first - lag(last) over by_sender >= pg_temp.days(30), false) as cold
    from counted
    where num_nonnulls(account, address) = 1
    window by_sender as (partition by account, address order by day)
), runs as (
    select *, count(*) filter (where cold) over (partition by account, address order by day) as run
    from gaps
)
select *, row_number() over (partition by account, address, run order by day) - 1 as warmup_day,
       lead(day) over (partition by account, address order by day) is null as is_last
from runs;

insert into infrastructure.email_accounts
    (tenant_id, id, domain_id, address, provider, status, warmup_day, allowance, sent_in_period, period_ends_at,
     last_sent_at, smtp_ip_id, created_at, updated_at)
select a.tenant_id, a.id, a.domain_id, a.address, a.provider,
       case when a.closed is not null then 'closed' when not sends and a.h & 15 = 0 then 'paused' else 'active' end,
       coalesce(d.warmup_day, 0), coalesce(step.allowance, case when d.mails is null then 0 else 50 end),
       coalesce(mails, 0), pg_temp.at(coalesce((d.day + 1) * pg_temp.days(1), 0)), pg_temp.at(last),
       case when a.provider = 'smtp' and d.mails is not null then pg_temp.key(i.rented, i.h) end,
       pg_temp.at(opened), pg_temp.at(coalesce(a.closed, opened))
from plan_accounts as a
join plan_addresses as i on i.tenant_id = a.tenant_id and i.k = a.k
left join plan_days as d on d.account = a.n and d.is_last
left join infrastructure.warmup_steps as step
    on step.curve = 'mailbox' and step.day = d.warmup_day and d.mails is not null
order by opened, a.n;

insert into infrastructure.smtp_ips
    (id, vps_instance_id, address, status, owner_tenant_id, daily_cap, warmup_curve, warmup_day, allowance,
     sent_in_period, period_ends_at, last_sent_at, created_at, updated_at)
select pg_temp.key(rented, i.h), pg_temp.key(rented, pg_temp.draw('instances', instance, seed)),
       '10.0.0.0'::inet + i.n,
       case when retired is not null then 'retired' when k is null or closed is not null then 'available'
            else 'assigned' end,
       case when closed is null then tenant_id end, 50000, curve.name,
       coalesce(d.warmup_day, 0), coalesce(step.allowance, case when d.mails is null then 0 else 50000 end),
       coalesce(mails, 0), pg_temp.at(coalesce((d.day + 1) * pg_temp.days(1), 0)), pg_temp.at(last),
       pg_temp.at(rented), pg_temp.at(coalesce(retired, closed, assigned, rented))
from plan_addresses as i
cross join lateral (select case when i.n % 4 = 0 then 'ghost' else 'standard' end as name) as curve
left join plan_days as d on d.address = i.n and d.is_last
left join infrastructure.warmup_steps as step on step.curve = curve.name and step.day = d.warmup_day
order by i.n;

insert into infrastructure.ip_assignments (id, smtp_ip_id, owner_tenant_id, assigned_at, released_at)
select pg_temp.key(assigned, pg_temp.draw('assignments', n, seed)), pg_temp.key(rented, h), tenant_id,
       pg_temp.at(assigned), pg_temp.at(closed)
from plan_addresses
where k is not null
order by assigned, n;

-- Bounces and complaints count on the day on which they came back; an address's allowance with the
-- account that sent first.
insert into infrastructure.daily_sends
    (tenant_id, id, email_account_id, smtp_ip_id, day, sent, account_allowance, address_allowance, hard_bounces,
     complaints)
with outcomes as (
    select s.*, e.at, e.at / pg_temp.days(1) as day, e.kind
    from plan_sends as s
    cross join lateral (values ('sent', sent), ('bounced', bounced), ('complained', complained)) as e (kind, at)
    where e.at is not null
), counted as (
    select tenant_id, account, address, email_account_id, smtp_ip_id, day,
           min(at) filter (where kind = 'sent') as first, count(*) filter (where kind = 'sent') as sent,
           count(*) filter (where kind = 'bounced') as bounced, count(*) filter (where kind = 'complained') as complained
    from outcomes
    group by tenant_id, account, address, email_account_id, smtp_ip_id, day
), placed as (
    select *, row_number() over (partition by address, day order by first, account) as place from counted
)
select p.tenant_id, pg_temp.key(p.day * pg_temp.days(1), pg_temp.draw('daily sends', p.account * 65536 + p.day, seed)),
       email_account_id, smtp_ip_id, date '1970-01-01' + p.day::integer, sent,
       case when sent > 0 then coalesce(account_step.allowance, 50) else 0 end,
       case when sent > 0 and p.address is not null and place = 1
            then least(coalesce(address_step.allowance, 50000), 50000) else 0 end,
       bounced, complained
from scale
cross join placed as p
left join plan_days as account_day on account_day.account = p.account and account_day.day = p.day
left join infrastructure.warmup_steps as account_step
    on account_step.curve = 'mailbox' and account_step.day = account_day.warmup_day
left join plan_days as address_day on address_day.address = p.address and address_day.day = p.day
left join infrastructure.warmup_steps as address_step
    on address_step.curve = case when p.address % 4 = 0 then 'ghost' else 'standard' end
    and address_step.day = address_day.warmup_day
order by p.day, p.tenant_id, p.account;

-- Reputation was judged at the end of each of the last four weeks.
insert into infrastructure.reputation_samples
    (tenant_id, id, subject, subject_id, sampled_at, sent, bounces, complaints, health)
with recursive weeks as (
    select s.tenant_id, week, s.email_account_id, s.smtp_ip_id, a.domain_id, s.sent, s.hard_bounces, s.complaints
    from scale
    cross join generate_series(1, 4) as week
    join infrastructure.daily_sends as s
      on s.day > (pg_temp.utc(as_of))::date - 7 * (5 - week) and s.day <= (pg_temp.utc(as_of))::date - 7 * (4 - week)
    join infrastructure.email_accounts as a on a.tenant_id = s.tenant_id and a.id = s.email_account_id
), measured as (
    select tenant_id, week, case when grouping(email_account_id) = 0 then 'email_account'
                                 when grouping(domain_id) = 0 then 'domain' else 'smtp_ip' end as subject,
           coalesce(email_account_id, domain_id, smtp_ip_id) as subject_id,
           sum(sent) as sent, sum(hard_bounces) as bounces, sum(complaints) as complaints
    from weeks
    group by grouping sets ((tenant_id, week, email_account_id), (tenant_id, week, domain_id), (tenant_id, week, smtp_ip_id))
), numbered as (
    select *, row_number() over (partition by subject_id order by week) as place
    from measured
    where subject_id is not null
), judged as (
    select n.*, infrastructure.next_health('healthy', sent, bounces, complaints) as health
    from numbered as n
    where place = 1
    union all
    select n.*, infrastructure.next_health(j.health, n.sent, n.bounces, n.complaints)
    from judged as j
    join numbered as n on n.subject_id = j.subject_id and n.place = j.place + 1
)
select tenant_id, pg_temp.key(at, pg_temp.draw('samples ' || subject_id, week, seed)), subject, subject_id,
       pg_temp.at(at), sent, bounces, complaints, health
from scale
cross join judged
cross join lateral (select as_of - pg_temp.days(7 * (4 - week)) as at) as sampled
order by at, tenant_id, subject, subject_id;

with last as (
    select distinct on (tenant_id, subject_id) tenant_id, subject_id, health
    from infrastructure.reputation_samples
    order by tenant_id, subject_id, sampled_at desc
), accounts as (
    update infrastructure.email_accounts as a set health = l.health
    from last as l where a.tenant_id = l.tenant_id and a.id = l.subject_id and a.health <> l.health
), addresses as (
    update infrastructure.smtp_ips as i set health = l.health
    from last as l where i.id = l.subject_id and i.health <> l.health
)
update infrastructure.domains as d set health = l.health
from last as l where d.tenant_id = l.tenant_id and d.id = l.subject_id and d.health <> l.health;

-- The last six months were paid for: servers (one in three became dearer half way), and each address
-- but a server's first.
create temp table plan_months on commit drop as
select month, (date_trunc('month', pg_temp.utc(as_of)) - make_interval(months => 7 - month))::date as starts_on,
       (date_trunc('month', pg_temp.utc(as_of)) - make_interval(months => 6 - month))::date as ends_on
from scale, generate_series(1, 6) as month;

insert into infrastructure.costs (id, vps_instance_id, smtp_ip_id, starts_on, ends_on, cents)
select pg_temp.key(extract(epoch from starts_on)::bigint * 1000, pg_temp.draw(what, n * 8 + month, seed)),
       pg_temp.key(rented, pg_temp.draw('instances', instance, seed)), smtp_ip_id, starts_on, ends_on, cents
from plan_months
cross join plan_addresses
cross join lateral (
    select 'server costs' as what, null::uuid as smtp_ip_id,
           (400 + 100 * (instance % 23)) * case when instance % 3 = 0 and month > 3 then 11 else 10 end / 10 as cents
    where slot = 0
    union all
    select 'address costs', pg_temp.key(rented, h), 170
    where slot > 0) as paid
where starts_on >= pg_temp.utc(rented)::date and (retired is null or starts_on < pg_temp.utc(retired)::date)
order by starts_on, instance, slot, what desc;

-- As the operation attribute_costs does, but with keys that the same seed gives again.
insert into infrastructure.cost_shares (id, cost_id, smtp_ip_id, email_account_id, owner_tenant_id, sent, cents)
select pg_temp.key(extract(epoch from c.starts_on)::bigint * 1000,
                   hashtextextended(concat_ws(' ', s.cost_id, s.smtp_ip_id, s.email_account_id, s.owner_tenant_id), seed)),
       s.cost_id, s.smtp_ip_id, s.email_account_id, s.owner_tenant_id, s.sent, s.cents
from scale
cross join (select min(starts_on) as starts_on, max(ends_on) as ends_on from plan_months) as paid
cross join lateral infrastructure.shares_due(paid.starts_on, paid.ends_on) with ordinality
    as s (cost_id, smtp_ip_id, email_account_id, owner_tenant_id, sent, cents, place)
join infrastructure.costs as c on c.id = s.cost_id
order by s.place;
