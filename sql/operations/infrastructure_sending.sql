-- Leave to send: warm-up, the next account and address, and what comes back as reputation.

create function infrastructure.volume_percent(variadic bands text[]) returns integer
    language sql stable parallel safe
begin atomic
    select min(b.volume_percent) from infrastructure.reputation_bands b where b.band = any (volume_percent.bands);
end;
comment on function infrastructure.volume_percent(text[]) is
    'lab_platform: the share of its usual allowance that what is in these bands may send.';

create function infrastructure.no_such_curve(curve text) returns integer
    language plpgsql stable parallel safe
    set search_path = pg_catalog
as $$
begin
    raise exception 'there is no warm-up curve %', curve using errcode = 'invalid_parameter_value';
end
$$;
comment on function infrastructure.no_such_curve(text) is 'lab_platform: refuses a warm-up curve that has no first day.';

-- Warm-up goes by days on which mail was sent, and starts over after 30 days without.
create function infrastructure.warmup_day(last_day integer, last_sent_at timestamptz, at timestamptz) returns integer
    language sql stable parallel safe
begin atomic
    select case
        when warmup_day.last_sent_at >= date_trunc('day', warmup_day.at, 'UTC') then warmup_day.last_day
        when warmup_day.last_sent_at > warmup_day.at - interval '30 days' then warmup_day.last_day + 1
        else 0
    end;
end;
comment on function infrastructure.warmup_day(integer, timestamptz, timestamptz) is
    'lab_platform: the day on its curve of who sends now.';

create function infrastructure.period_allowance(
    curve text, day integer, step integer, cap integer, percent integer) returns integer
    language sql stable parallel safe
begin atomic
    select greatest(
        sign(period_allowance.percent)::integer,
        least(coalesce(period_allowance.step,
                       case period_allowance.day when 0 then infrastructure.no_such_curve(period_allowance.curve) end,
                       period_allowance.cap),
              period_allowance.cap) * period_allowance.percent / 100);
end;
comment on function infrastructure.period_allowance(text, integer, integer, integer, integer) is
    'lab_platform: mails allowed in a period of a day on a curve, by its step, none of which is left once it is warm.';

create function infrastructure.sending_period(
    curve text, last_day integer, last_sent_at timestamptz, cap integer, percent integer, at timestamptz,
    out day integer, out allowance integer, out ends_at timestamptz)
    language sql stable
begin atomic
    select today.day,
           infrastructure.period_allowance(
               sending_period.curve, today.day, step.allowance, sending_period.cap, sending_period.percent),
           case step.period
               when 'hour' then date_trunc('hour', sending_period.at, 'UTC') + interval '1 hour'
               else date_trunc('day', sending_period.at, 'UTC') + interval '1 day'
           end
    from (select infrastructure.warmup_day(
              sending_period.last_day, sending_period.last_sent_at, sending_period.at) as day) as today
    left join infrastructure.warmup_steps step on step.curve = sending_period.curve and step.day = today.day;
end;
comment on function infrastructure.sending_period(text, integer, timestamptz, integer, integer, timestamptz) is
    'lab_platform: the day on its curve, the allowance and the end of the period that begins for who sends now.';

create function infrastructure.address_room(address infrastructure.smtp_ips, at timestamptz) returns integer
    language sql stable
begin atomic
    select case
        when (address).health = 'blocked' then 0
        when (address).period_ends_at > at then (address).allowance - (address).sent_in_period
        else (select p.allowance
              from infrastructure.sending_period(
                  (address).warmup_curve, (address).warmup_day, (address).last_sent_at, (address).daily_cap,
                  infrastructure.volume_percent((address).health), at) p)
    end;
end;
comment on function infrastructure.address_room(infrastructure.smtp_ips, timestamptz) is
    'lab_platform: mails that an address may still send in its period.';

-- Accounts and addresses are locked, never waited for: who takes several slots in one transaction
-- cannot deadlock with who takes them in another order. The counters stand in the locked rows, so that
-- a row that changed meanwhile is judged again.
create function infrastructure.take_send_slot(
    tenant uuid, at timestamptz default now(), out email_account_id uuid, out smtp_ip_id uuid, out refusal text)
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    account infrastructure.email_accounts;
    address infrastructure.smtp_ips;
    account_granted integer := 0;
    address_granted integer := 0;
begin
    select a.* into account
    from infrastructure.email_accounts a
    where a.tenant_id = tenant and a.status = 'active' and a.health <> 'blocked'
      and (a.last_sent_at is null or a.last_sent_at <= at - a.minimum_gap)
      and (a.period_ends_at <= at or a.sent_in_period < least(a.allowance, a.daily_cap))
      and (a.provider <> 'smtp' or exists (
              select from infrastructure.smtp_ips i
              where i.owner_tenant_id = tenant and i.health <> 'blocked'
                and (i.period_ends_at <= at or i.sent_in_period < i.allowance)))
      and exists (select from infrastructure.domains d
                  where d.tenant_id = tenant and d.id = a.domain_id
                    and d.status = 'verified' and d.health <> 'blocked')
    order by a.last_sent_at nulls first
    limit 1
    for no key update of a skip locked;
    if not found then
        refusal := infrastructure.send_refusal(tenant, at);
        return;
    end if;

    if account.provider = 'smtp' then
        select i.* into address
        from infrastructure.smtp_ips i
        where i.owner_tenant_id = tenant and i.health <> 'blocked'
          and (i.period_ends_at <= at or i.sent_in_period < i.allowance)
        order by i.id = account.smtp_ip_id desc nulls last,
                 case when i.period_ends_at <= at then 0 else i.sent_in_period::float8 / i.allowance end
        limit 1
        for no key update skip locked;
        if not found then
            refusal := infrastructure.send_refusal(tenant, at);
            return;
        end if;
        if address.period_ends_at <= at then
            update infrastructure.smtp_ips i
            set warmup_day = p.day, allowance = p.allowance, period_ends_at = p.ends_at,
                sent_in_period = 1, last_sent_at = at
            from infrastructure.sending_period(
                address.warmup_curve, address.warmup_day, address.last_sent_at, address.daily_cap,
                infrastructure.volume_percent(address.health), at) p
            where i.id = address.id
            returning i.allowance into address_granted;
        else
            update infrastructure.smtp_ips i
            set sent_in_period = i.sent_in_period + 1, last_sent_at = at
            where i.id = address.id;
        end if;
    end if;

    if account.period_ends_at <= at then
        update infrastructure.email_accounts a
        set warmup_day = p.day, allowance = p.allowance, period_ends_at = p.ends_at,
            sent_in_period = 1, last_sent_at = at, smtp_ip_id = address.id
        from infrastructure.sending_period(
            account.warmup_curve, account.warmup_day, account.last_sent_at, account.daily_cap,
            infrastructure.volume_percent(account.health, (
                select d.health from infrastructure.domains d
                where d.tenant_id = tenant and d.id = account.domain_id)), at) p
        where a.tenant_id = tenant and a.id = account.id
        returning a.allowance into account_granted;
    else
        update infrastructure.email_accounts a
        set sent_in_period = a.sent_in_period + 1, last_sent_at = at, smtp_ip_id = address.id
        where a.tenant_id = tenant and a.id = account.id;
    end if;

    insert into infrastructure.daily_sends as s
        (tenant_id, email_account_id, smtp_ip_id, day, sent, account_allowance, address_allowance)
    values (tenant, account.id, address.id, (at at time zone 'UTC')::date, 1, account_granted, address_granted)
    on conflict on constraint daily_sends_day_key do update
    set sent = s.sent + 1, account_allowance = s.account_allowance + account_granted,
        address_allowance = s.address_allowance + address_granted;
    email_account_id := account.id;
    smtp_ip_id := address.id;
end
$$;
comment on function infrastructure.take_send_slot(uuid, timestamptz) is
    'lab_platform: the account (the one that has waited longest) and the address that the tenant''s next mail goes out by, counted as sent. Refusals: no_account, daily_limit, ip_warming (no address has room), minimum_gap (each is within its gap, or in use by another session: try again soon).';

create function infrastructure.send_refusal(tenant uuid, at timestamptz) returns text
    language sql stable
begin atomic
    select case
        when count(*) = 0 then 'no_account'
        when not bool_or(open.room) then 'daily_limit'
        when not bool_or(open.room and (open.provider <> 'smtp' or exists (
                select from infrastructure.smtp_ips i
                where i.owner_tenant_id = send_refusal.tenant and i.health <> 'blocked'
                  and (i.period_ends_at <= send_refusal.at or i.sent_in_period < i.allowance)))) then 'ip_warming'
        else 'minimum_gap'
    end
    from (
        select a.provider,
               a.period_ends_at <= send_refusal.at or a.sent_in_period < least(a.allowance, a.daily_cap) as room
        from infrastructure.email_accounts a
        join infrastructure.domains d on d.tenant_id = a.tenant_id and d.id = a.domain_id
        where a.tenant_id = send_refusal.tenant and a.status = 'active' and a.health <> 'blocked'
          and d.status = 'verified' and d.health <> 'blocked') as open;
end;
comment on function infrastructure.send_refusal(uuid, timestamptz) is
    'lab_platform: why a tenant gets no slot now: no_account, daily_limit, ip_warming or minimum_gap.';

-- The account is locked first, as by who sends: a batch of either cannot deadlock with one of the other.
create function infrastructure.record_delivery_outcome(
    tenant uuid, email_account_id uuid, kind text, at timestamptz default now()) returns void
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    account infrastructure.email_accounts;
begin
    if kind not in ('soft_bounced', 'hard_bounced', 'complained') then
        raise exception 'a delivery outcome is soft_bounced, hard_bounced or complained, not %', kind
            using errcode = 'invalid_parameter_value';
    end if;
    select a.* into account from infrastructure.email_accounts a
    where a.tenant_id = tenant and a.id = record_delivery_outcome.email_account_id for no key update;
    if not found then
        raise exception 'email account % of tenant % does not exist', email_account_id, tenant
            using errcode = 'invalid_parameter_value';
    end if;
    insert into infrastructure.daily_sends as s
        (tenant_id, email_account_id, smtp_ip_id, day, soft_bounces, hard_bounces, complaints)
    values (tenant, account.id, account.smtp_ip_id, (at at time zone 'UTC')::date,
            (kind = 'soft_bounced')::integer, (kind = 'hard_bounced')::integer, (kind = 'complained')::integer)
    on conflict on constraint daily_sends_day_key do update
    set soft_bounces = s.soft_bounces + (kind = 'soft_bounced')::integer,
        hard_bounces = s.hard_bounces + (kind = 'hard_bounced')::integer,
        complaints = s.complaints + (kind = 'complained')::integer;
end
$$;
comment on function infrastructure.record_delivery_outcome(uuid, uuid, text, timestamptz) is
    'lab_platform: counts a bounce or complaint (soft_bounced, hard_bounced, complained) for the account, the address it last sent through and its domain, on the day that it is reported.';

-- Worse at once, better by one band at a time. Bounces are judged from 100 mails on, complaints from
-- 1,000 (of fewer, one alone would be too many), and who recovers must have sent 20.
create function infrastructure.next_health(health text, sent bigint, bounces bigint, complaints bigint) returns text
    language sql stable parallel safe
begin atomic
    with now as (
        select b.severity,
               coalesce(next_health.sent >= 20
                        and next_health.bounces * 10000 < b.bounces_leave * next_health.sent
                        and next_health.complaints * 10000 < b.complaints_leave * next_health.sent, false) as recovers
        from infrastructure.reputation_bands b where b.band = next_health.health
    ), entered as (
        select coalesce(max(b.severity), 0) as severity
        from infrastructure.reputation_bands b
        where next_health.sent >= 100 and next_health.bounces * 10000 >= b.bounces_enter * next_health.sent
           or next_health.sent >= 1000 and next_health.complaints * 10000 >= b.complaints_enter * next_health.sent
    )
    select b.band
    from now
    cross join entered
    join infrastructure.reputation_bands b
      on b.severity = greatest(entered.severity, now.severity - now.recovers::integer);
end;
comment on function infrastructure.next_health(text, bigint, bigint, bigint) is
    'lab_platform: the band after some mails, hard bounces and complaints, coming from another.';

create function infrastructure.sample_reputation(tenant uuid, at timestamptz default now()) returns bigint
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    changed bigint;
begin
    with recent as (
        select s.email_account_id, s.smtp_ip_id, a.domain_id, s.sent, s.hard_bounces, s.complaints
        from infrastructure.daily_sends s
        join infrastructure.email_accounts a on a.tenant_id = s.tenant_id and a.id = s.email_account_id
        where s.tenant_id = tenant and s.day <= (at at time zone 'UTC')::date
          and s.day > (at at time zone 'UTC')::date - 7
    ), subjects as (
        select 'email_account' as subject, a.id, a.health
        from infrastructure.email_accounts a where a.tenant_id = tenant
        union all
        select 'domain', d.id, d.health from infrastructure.domains d where d.tenant_id = tenant
        union all
        select 'smtp_ip', i.id, i.health from infrastructure.smtp_ips i where i.owner_tenant_id = tenant
    ), measured as (
        select coalesce(r.email_account_id, r.domain_id, r.smtp_ip_id) as id, sum(r.sent) as sent,
               sum(r.hard_bounces) as bounces, sum(r.complaints) as complaints
        from recent r
        group by grouping sets (r.email_account_id, r.domain_id, r.smtp_ip_id)
    ), sampled as (
        insert into infrastructure.reputation_samples
            (tenant_id, subject, subject_id, sampled_at, sent, bounces, complaints, health)
        select tenant, s.subject, s.id, at, m.sent, m.bounces, m.complaints,
               infrastructure.next_health(s.health, m.sent, m.bounces, m.complaints)
        from measured m join subjects s on s.id = m.id
        on conflict do nothing
        returning subject, subject_id, health
    ), accounts as (
        update infrastructure.email_accounts a set health = s.health, updated_at = at
        from sampled s
        where a.tenant_id = tenant and a.id = s.subject_id and s.subject = 'email_account' and a.health <> s.health
        returning a.id
    ), domains as (
        update infrastructure.domains d set health = s.health, updated_at = at
        from sampled s
        where d.tenant_id = tenant and d.id = s.subject_id and s.subject = 'domain' and d.health <> s.health
        returning d.id
    ), addresses as (
        update infrastructure.smtp_ips i set health = s.health, updated_at = at
        from sampled s
        where i.owner_tenant_id = tenant and i.id = s.subject_id and s.subject = 'smtp_ip' and i.health <> s.health
        returning i.id
    )
    select (select count(*) from accounts) + (select count(*) from domains) + (select count(*) from addresses)
    into changed;
    return changed;
end
$$;
comment on function infrastructure.sample_reputation(uuid, timestamptz) is
    'lab_platform: judges a tenant''s accounts, domains and addresses by their last seven days; returns how many changed their band. A blocked one sends nothing from now on; another change of volume holds from its next period.';

revoke execute on all functions in schema infrastructure from public;
grant execute on all functions in schema infrastructure to lab_platform;
