-- The slice: tenants of the run's own, named load:RUN, with domains and accounts, and servers named load-...
-- with addresses of 198.18.0.0/15. They live from February 2021 on, by a clock that runs faster than ours,
-- so that look-ups fall due and warm-up goes on within seconds; and before anything of the sample data is
-- there, so that workers, who look across tenants, find the run's own alone. teardown.sql removes them.

-- name: tables (administrator)
-- What is noted beside each answer, a row a session where many would wait for one another.
create table scratch_load.accounts (tenant_id uuid primary key);
create table scratch_load.life (began timestamptz not null, days_a_second float8 not null);
-- Look-ups that a worker has claimed, and what it was told: in the order of the locks on the domain.
create table scratch_load.claims (session integer not null, tenant_id uuid not null, domain_id uuid not null);
create index claims_session_idx on scratch_load.claims (session);
create table scratch_load.results (
    place     bigint generated always as identity,
    tenant_id uuid not null,
    domain_id uuid not null,
    at        timestamptz not null,
    verdicts  jsonb not null,
    status    text not null,
    refusal   text
);
create index results_domain_idx on scratch_load.results (tenant_id, domain_id);
-- Mails by who sent them through which address (none: the account's provider), in which period of it.
create table scratch_load.slots (
    sender         uuid,  -- an address or account
    tenant_id      uuid,
    period_ends_at timestamptz,
    session        integer,
    sent           bigint not null,
    allowance      integer not null,
    primary key (sender, tenant_id, period_ends_at, session)
) with (fillfactor = 50);
-- When a server failed and was repaired, by the run's clock and (from, to) by ours.
create table scratch_load.failures (
    failure         bigint generated always as identity primary key,
    vps_instance_id uuid not null,
    at              timestamptz not null,
    began           timestamptz not null,
    ended           timestamptz,
    repaired        timestamptz,
    repaired_at     timestamptz
);
-- Addresses that were taken from their tenants: with a failed server, for their reputation (no failure), or
-- given up (likewise, and nothing is to replace them). Decommissioning a domain says only how many.
create table scratch_load.moves (
    failure     bigint,
    owner_id    uuid not null,
    smtp_ip_id  uuid not null,
    replacement uuid,
    refusal     text
);
create table scratch_load.given_up (tenant_id uuid not null, addresses bigint not null);
-- Of allocations: what the address can carry of the mail expected, and what the best free one could.
create table scratch_load.choices (chosen float8 not null, best float8 not null);
-- Where addresses began to warm up.
create table scratch_load.warmth (smtp_ip_id uuid primary key, warmup_day integer not null);
grant select, insert, update, delete on all tables in schema scratch_load to lab_platform;

-- name: life
insert into scratch_load.life (began, days_a_second) values (now(), %(days_a_second)s);

-- name: lookups (administrator)
-- Numbers are in the ids: nothing is looked up. The clock stands still before it comes to the sample data.
do $$
declare
    kind text;
begin
    foreach kind in array array['account', 'server', 'address'] loop
        execute format(
            'create function scratch_load.%I(number integer) returns uuid language sql immutable '
            'parallel safe return (%L || lpad(to_hex(number), 12, ''0''))::uuid',
            kind, left(public.uuid_generate_v7()::text, 24));
    end loop;
    execute (select format(
        'create function scratch_load.clock() returns timestamptz language sql volatile '
        'return least(timestamptz %L + (clock_timestamp() - %L) * float8 %L, %L)',
        '2021-02-01 00:00:00+00', l.began, 86400 * l.days_a_second, '2024-06-01 00:00:00+00')
        from scratch_load.life l);
end
$$;

-- name: names (administrator)
-- Each fourth name is wanted by two tenants.
create function scratch_load.domain_name(account integer, domain integer) returns text
    language sql immutable parallel safe
    return 'd' || domain || '-' || case when domain % 4 = 0 then 'pair' || (account + 1) / 2 else 'own' || account end
           || '.load.example';

-- name: answers (administrator)
-- What DNS answers: nearly all that is expected; some records were never published, and for some hours at a
-- time others are gone, are somebody else's, or no server answers.
create function scratch_load.look_up(tenant uuid, domain uuid, at timestamptz, out answers jsonb, out verdicts jsonb)
    language sql stable
    set search_path = pg_catalog
as $$
    select jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
               'kind', r.kind,
               'values', case found.verdict when 'ok' then array[r.expected] when 'invalid' then array[wrong.value] else '{}' end,
               'error', case found.verdict when 'failed' then 'timeout' end))),
           jsonb_object_agg(r.kind, found.verdict)
    from infrastructure.dns_records r
    cross join lateral (
        select hashtext(r.id::text) & 1023 as once,
               hashtext(r.id::text || floor(extract(epoch from look_up.at) / 21600)) & 1023 as now) as drawn
    cross join lateral (
        select case when drawn.once < 10 or drawn.now < 15 then 'missing'
                    when drawn.now < 30 then 'invalid' when drawn.now < 45 then 'failed' else 'ok' end as verdict) as found
    join (values ('spf', 'v=spf1 include:spf.other.example -all'), ('dkim', 'v=DKIM1; k=rsa; p=other'),
                 ('dmarc', 'v=DMARC1; rua=mailto:dmarc@other.example'), ('mx', '10 mx.other.example'),
                 ('return_path', 'bounce.other.example'), ('tracking', 'click.other.example')) as wrong (kind, value)
      on wrong.kind = r.kind
    where r.tenant_id = look_up.tenant and r.domain_id = look_up.domain
$$;

-- One domain a transaction: two workers might contest each other's names.
create function scratch_load.record_dns(tenant uuid, domain uuid, at timestamptz, session integer) returns text
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    found record;
    answer record;
begin
    select * into found from scratch_load.look_up(tenant, domain, at);
    select * into answer from infrastructure.record_dns_checks(tenant, domain, found.answers, at);
    insert into scratch_load.results (tenant_id, domain_id, at, verdicts, status, refusal)
    values (tenant, domain, at, found.verdicts, answer.status, answer.refusal);
    return scratch_load.note('check_dns', coalesce(answer.refusal, answer.status), session);
end
$$;

create function scratch_load.record_next(session integer) returns text
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    claimed scratch_load.claims;
begin
    delete from scratch_load.claims c
    where c.ctid = (select n.ctid from scratch_load.claims n where n.session = record_next.session limit 1)
    returning c.* into claimed;
    if not found then
        return scratch_load.note('check_dns', 'nothing due', session);
    end if;
    return scratch_load.record_dns(claimed.tenant_id, claimed.domain_id, scratch_load.clock(), session);
end
$$;

create function scratch_load.add_domain(tenant uuid, name text, session integer) returns text
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    answer record;
begin
    select * into answer from infrastructure.add_domain(tenant, name, 'load', scratch_load.clock());
    return scratch_load.note('add_domain', coalesce(answer.refusal, 'added'), session);
end
$$;

create function scratch_load.open_account(tenant uuid, name text, local_part text, session integer) returns text
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    domain constant uuid := (select d.id from infrastructure.domains d
                             where d.tenant_id = tenant and d.name_norm = open_account.name and d.status <> 'decommissioned');
    answer record;
begin
    if domain is null then
        return scratch_load.note('open_account', 'no_domain', session);
    end if;
    select * into answer from infrastructure.create_email_account(
        tenant, domain, local_part, 'smtp', cap => 5, gap => '1 minute', at => scratch_load.clock());
    return scratch_load.note('open_account', coalesce(answer.refusal, 'opened'), session);
end
$$;

-- A few mails in one transaction, each counted where the platform did: in the period of the rows that it locked.
create function scratch_load.send(tenant uuid, mails integer, session integer) returns void
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    slot record;
begin
    for mail in 1..mails loop
        select * into slot from infrastructure.take_send_slot(tenant, scratch_load.clock());
        perform scratch_load.note('send_mail', coalesce(slot.refusal, 'sent'), session);
        exit when slot.refusal is not null;
        insert into scratch_load.slots as s (sender, tenant_id, period_ends_at, session, sent, allowance)
        select i.id, tenant, i.period_ends_at, send.session, 1, i.allowance
        from infrastructure.smtp_ips i where i.id = slot.smtp_ip_id
        union all
        select a.id, tenant, a.period_ends_at, send.session, 1, a.allowance
        from infrastructure.email_accounts a where a.tenant_id = tenant and a.id = slot.email_account_id
        on conflict on constraint slots_pkey
            do update set sent = s.sent + 1, allowance = greatest(s.allowance, excluded.allowance);
    end loop;
end
$$;

create function scratch_load.allocate(tenant uuid, expected bigint, session integer) returns text
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    answer record;
begin
    select * into answer from infrastructure.allocate_smtp_ip(tenant, scratch_load.clock(), expected);
    return scratch_load.note('allocate_address', coalesce(answer.refusal, 'allocated'), session);
end
$$;

-- Mails of those expected that an address carries now, by its reputation.
create function scratch_load.worth(address infrastructure.smtp_ips, expected bigint, at timestamptz) returns float8
    language sql stable
begin atomic
    select least(infrastructure.address_room(worth.address, worth.at), worth.expected) * (1 - b.severity / 5.0::float8)
    from infrastructure.reputation_bands b where b.band = (worth.address).health;
end;

-- Nobody, if there is none.
create function scratch_load.best_free(at timestamptz, expected bigint, out smtp_ip_id uuid, out worth float8)
    language plpgsql stable
    set search_path = pg_catalog
as $$
begin
    select i.id, scratch_load.worth(i, expected, at) into smtp_ip_id, worth
    from infrastructure.smtp_ips i
    join infrastructure.vps_instances v on v.id = i.vps_instance_id
    where i.status = 'available' and i.health in ('healthy', 'watched') and v.status = 'active' and i.created_at <= at
    order by 2 desc, i.address limit 1;
    smtp_ip_id := coalesce(smtp_ip_id, scratch_load.address(0));
end
$$;

create function scratch_load.assign(tenant uuid, smtp_ip uuid, session integer) returns text
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    if smtp_ip = scratch_load.address(0) then
        return scratch_load.note('assign_address', 'none free', session);
    end if;
    return scratch_load.note('assign_address', coalesce(
        infrastructure.assign_smtp_ip(tenant, smtp_ip, scratch_load.clock()), 'assigned'), session);
end
$$;

create function scratch_load.judge_allocation(tenant uuid, expected bigint, session integer) returns text
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    at constant timestamptz := scratch_load.clock();
    best constant float8 := (select b.worth from scratch_load.best_free(at, expected) b);
    answer record;
begin
    select a.*, i as address into answer
    from infrastructure.allocate_smtp_ip(tenant, at, expected) a
    left join infrastructure.smtp_ips i on i.id = a.smtp_ip_id;
    -- One that became free after the look is compared with nothing.
    if answer.refusal is null and best is not null then
        insert into scratch_load.choices (chosen, best)
        values (scratch_load.worth(answer.address, expected, at), best);
    end if;
    return scratch_load.note('judge_allocation', coalesce(answer.refusal, 'allocated'), session);
end
$$;

-- Locked first: else it might be another's by the time that it is released.
create function scratch_load.release(tenant uuid, session integer) returns text
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    held uuid;
begin
    select i.id into held from infrastructure.smtp_ips i
    where i.owner_tenant_id = tenant limit 1 for update skip locked;
    if not found then
        return scratch_load.note('release_address', 'holds none', session);
    end if;
    perform infrastructure.release_smtp_ip(held, scratch_load.clock());
    insert into scratch_load.moves (owner_id, smtp_ip_id) values (tenant, held);
    return scratch_load.note('release_address', 'released', session);
end
$$;

-- In its transaction an address that was taken away belongs to nobody yet: who had it last, lost it.
create function scratch_load.note_move(failure bigint, smtp_ip uuid, replacement uuid, refusal text) returns boolean
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    insert into scratch_load.moves (failure, owner_id, smtp_ip_id, replacement, refusal)
    select note_move.failure, a.owner_tenant_id, smtp_ip, note_move.replacement, note_move.refusal
    from infrastructure.ip_assignments a
    join infrastructure.smtp_ips i on i.id = a.smtp_ip_id and i.owner_tenant_id is null
    where a.smtp_ip_id = smtp_ip and note_move.refusal is distinct from 'not_assigned'
    order by a.assigned_at desc, a.released_at desc limit 1;
    return found;
end
$$;

create function scratch_load.fail_server(server uuid, most bigint, session integer) returns text
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    at constant timestamptz := scratch_load.clock();
    began constant timestamptz := clock_timestamp();
    number bigint;
    lost record;
begin
    if (select count(*) from infrastructure.vps_instances v where v.name like 'load-%' and v.status = 'failed') >= most then
        return scratch_load.note('fail_server', 'enough have failed', session);
    end if;
    insert into scratch_load.failures (vps_instance_id, at, began) values (server, at, began) returning failure into number;
    for lost in select * from infrastructure.fail_vps_instance(server, at) loop
        perform scratch_load.note_move(number, lost.smtp_ip, lost.replacement, lost.refusal);
    end loop;
    update scratch_load.failures f set ended = clock_timestamp() where f.failure = number;
    return scratch_load.note('fail_server', 'failed over', session);
exception
    when invalid_parameter_value then
        return scratch_load.note('fail_server', 'failed already', session);
end
$$;

create function scratch_load.repair_server(session integer) returns text
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    noticed constant timestamptz := clock_timestamp();
    server uuid;
begin
    update infrastructure.vps_instances v set status = 'active'
    where v.id = (select f.id from infrastructure.vps_instances f
                  where f.name like 'load-%' and f.status = 'failed' limit 1 for update skip locked)
    returning v.id into server;
    if not found then
        return scratch_load.note('repair_server', 'none has failed', session);
    end if;
    update scratch_load.failures f set repaired = noticed, repaired_at = scratch_load.clock()
    where f.vps_instance_id = server and f.repaired is null;
    return scratch_load.note('repair_server', 'repaired', session);
end
$$;

create function scratch_load.rotate(session integer) returns bigint
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    worn record;
    moved bigint := 0;
begin
    for worn in select * from infrastructure.rotate_smtp_ips(scratch_load.clock()) loop
        perform scratch_load.note('rotate_addresses', coalesce(worn.refusal, 'replaced'), session);
        moved := moved + scratch_load.note_move(null, worn.smtp_ip, worn.replacement, worn.refusal)::integer;
    end loop;
    return moved;
end
$$;

-- What came back for one of the accounts, mail by mail.
create function scratch_load.bounce(tenant uuid, bounces integer, session integer) returns text
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    account uuid;
begin
    select a.id into account from infrastructure.email_accounts a
    where a.tenant_id = tenant and a.status = 'active' and a.smtp_ip_id is not null
    order by random() limit 1;
    if not found then
        return scratch_load.note('report_bounces', 'nobody sent', session);
    end if;
    for bounce in 1..bounces loop
        perform infrastructure.record_delivery_outcome(tenant, account, 'hard_bounced', scratch_load.clock());
    end loop;
    return scratch_load.note('report_bounces', 'counted', session);
end
$$;

create function scratch_load.decommission(tenant uuid, name text, session integer) returns text
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    domain constant uuid := (select d.id from infrastructure.domains d
                             where d.tenant_id = tenant and d.name_norm = decommission.name and d.status <> 'decommissioned');
    answer record;
begin
    if domain is null then
        return scratch_load.note('decommission_domain', 'no_domain', session);
    end if;
    select * into answer from infrastructure.decommission_domain(tenant, domain, scratch_load.clock());
    insert into scratch_load.given_up (tenant_id, addresses) values (tenant, answer.addresses_released);
    return scratch_load.note('decommission_domain', 'given up', session);
exception
    when check_violation then
        return scratch_load.note('decommission_domain', 'refused', session);
end
$$;

-- name: accounts
with made as (
    insert into public.tenants (id, name, status)
    select scratch_load.account(n), 'load:' || %(run_id)s, 'active'
    from generate_series(1, %(accounts)s) as n
    returning id
)
insert into scratch_load.accounts (tenant_id) select id from made;

-- name: subscriptions
-- Free, so that nothing is owed; what they may have is set apart, a few domains more than they begin with.
select billing.create_subscription(scratch_load.account(n), 'free', at => scratch_load.clock()),
       billing.set_override(scratch_load.account(n), 'domains', %(domains_each)s + 2, 'A load run.', at => scratch_load.clock()),
       billing.set_override(scratch_load.account(n), 'email_accounts', 3 * %(domains_each)s, 'A load run.', at => scratch_load.clock())
from generate_series(1, %(accounts)s) as n;

-- name: domains
select scratch_load.add_domain(scratch_load.account(n), scratch_load.domain_name(n, d), 0)
from generate_series(1, %(accounts)s) as n, generate_series(1, %(domains_each)s) as d;

-- name: claims
insert into scratch_load.claims (session, tenant_id, domain_id)
select distinct 0, tenant, domain
from infrastructure.claim_dns_checks(%(accounts)s * %(domains_each)s, scratch_load.clock());

-- name: verified
select scratch_load.record_dns(tenant_id, domain_id, scratch_load.clock(), 0) from scratch_load.claims;

-- name: claimed
delete from scratch_load.claims;

-- name: mailboxes
-- Two on each domain that was verified.
select scratch_load.open_account(scratch_load.account(n), scratch_load.domain_name(n, d), 'box' || b, 0)
from generate_series(1, %(accounts)s) as n, generate_series(1, %(domains_each)s) as d, generate_series(1, 2) as b;

-- name: servers
insert into infrastructure.vps_instances (id, name, provider, region, status, created_at)
select scratch_load.server(n), 'load-' || n, 'hetzner', 'eu', 'active', scratch_load.clock()
from generate_series(1, %(servers)s) as n;

-- name: addresses
-- On all days of their warm-up, one in four for few mails; one in twenty has rested for nearly long enough.
insert into infrastructure.smtp_ips (id, vps_instance_id, address, status, daily_cap, warmup_day, last_sent_at, created_at)
select scratch_load.address(n), scratch_load.server(1 + n %% %(servers)s), '198.18.0.0'::inet + n,
       case when n %% 20 = 0 then 'resting' else 'available' end, case when n %% 4 = 0 then 20 else 50000 end, n %% 19,
       scratch_load.clock() - case when n %% 20 = 0 then interval '29 days 18 hours' else interval '1 day' end,
       scratch_load.clock() - interval '1 month'
from generate_series(1, %(servers)s * %(addresses_each)s) as n;

-- name: warmth
insert into scratch_load.warmth (smtp_ip_id, warmup_day)
select i.id, i.warmup_day
from generate_series(1, %(servers)s * %(addresses_each)s) as n
join infrastructure.smtp_ips i on i.id = scratch_load.address(n);

-- name: assigned
-- Three each.
select infrastructure.assign_smtp_ip(
    scratch_load.account(1 + (n %% %(accounts)s)), scratch_load.address(n), scratch_load.clock())
from generate_series(1, %(accounts)s * 3) as n
where n %% 20 > 0;

-- name: last_week
-- What each account sent, through which of its tenant's addresses.
insert into infrastructure.daily_sends (tenant_id, email_account_id, smtp_ip_id, day, sent)
select m.tenant_id, m.id, held.ids[1 + m.place % cardinality(held.ids)], date '2021-02-01' - days, 4
from (select a.tenant_id, a.id, row_number() over (partition by a.tenant_id order by a.id) as place
      from infrastructure.email_accounts a join scratch_load.accounts using (tenant_id)) as m
join lateral (select array_agg(i.id order by i.id) as ids from infrastructure.smtp_ips i
              where i.owner_tenant_id = m.tenant_id) as held on held.ids is not null
cross join generate_series(1, 7) as days;

-- name: costs
-- Paid by the day, so that what they sent can be shared while they go on.
insert into infrastructure.costs (vps_instance_id, starts_on, ends_on, cents)
select scratch_load.server(n), date '2021-02-01' + day, date '2021-02-01' + day + 1, 50 + n %% 50
from generate_series(1, %(servers)s) as n, generate_series(-7, 30) as day;

-- name: statistics (administrator)
analyze infrastructure.domains, infrastructure.dns_records, infrastructure.dns_checks, infrastructure.email_accounts,
    infrastructure.smtp_ips, infrastructure.daily_sends, infrastructure.ip_assignments, infrastructure.costs;

-- name: spread
-- Not all are due at once: a verified one within a day, another within the hour.
update infrastructure.domains d
set next_check_at = scratch_load.clock()
    + random() * case d.status when 'verified' then interval '1 day' else interval '1 hour' end
from scratch_load.accounts a
where d.tenant_id = a.tenant_id;
