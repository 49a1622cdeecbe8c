-- Addresses and servers: whose they are, and what happens when one fails, is worn out or given up.

-- What both ways of giving an address to a tenant end in: the caller holds the lock on it.
create function infrastructure.hand_over_smtp_ip(tenant uuid, smtp_ip uuid, at timestamptz) returns void
    language sql
begin atomic
    -- A session that released it meanwhile may have begun later than this one.
    with handed as (
        update infrastructure.smtp_ips i
        set status = 'assigned', owner_tenant_id = hand_over_smtp_ip.tenant, updated_at = hand_over_smtp_ip.at
        where i.id = hand_over_smtp_ip.smtp_ip
        returning i.id
    )
    insert into infrastructure.ip_assignments (smtp_ip_id, owner_tenant_id, assigned_at)
    select h.id, hand_over_smtp_ip.tenant,
           greatest(hand_over_smtp_ip.at,
                    (select max(a.released_at) from infrastructure.ip_assignments a where a.smtp_ip_id = h.id))
    from handed h;
end;
comment on function infrastructure.hand_over_smtp_ip(uuid, uuid, timestamptz) is
    'lab_platform: a free address, which the caller has locked, becomes a tenant''s.';

create function infrastructure.address_refusal(tenant uuid) returns text
    language plpgsql stable
    set search_path = pg_catalog
as $$
declare
    found_status text;
begin
    select t.status into found_status from public.tenants t where t.id = tenant and t.status <> 'deleted';
    if not found then
        raise exception 'tenant % does not exist', tenant using errcode = 'invalid_parameter_value';
    end if;
    return case found_status when 'suspended' then 'tenant_suspended' end;
end
$$;
comment on function infrastructure.address_refusal(uuid) is
    'lab_platform: why a tenant may have no address now: tenant_suspended; null if it may. Raises 22023 for an unknown or deleted tenant.';

create function infrastructure.assign_smtp_ip(tenant uuid, smtp_ip uuid, at timestamptz default now()) returns text
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    refusal constant text := infrastructure.address_refusal(tenant);
begin
    if refusal is not null then
        return refusal;
    end if;
    -- The server is locked too, so that its failure sees the assignment or the assignment the failure.
    perform from infrastructure.smtp_ips i
    join infrastructure.vps_instances v on v.id = i.vps_instance_id
    where i.id = smtp_ip and i.status = 'available' and v.status = 'active'
    for update of i for share of v;
    if not found then
        return 'not_available';
    end if;
    perform infrastructure.hand_over_smtp_ip(tenant, smtp_ip, at);
    return null;
end
$$;
comment on function infrastructure.assign_smtp_ip(uuid, uuid, timestamptz) is
    'lab_platform: gives a tenant an address of a server in order; null, or why not: tenant_suspended, not_available.';

create function infrastructure.release_smtp_ip(smtp_ip uuid, at timestamptz default now()) returns boolean
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    update infrastructure.smtp_ips i
    set status = case when i.health in ('healthy', 'watched') then 'available' else 'resting' end,
        owner_tenant_id = null, updated_at = at
    where i.id = smtp_ip and i.status = 'assigned';
    if not found then
        return false;
    end if;
    update infrastructure.ip_assignments a set released_at = greatest(at, a.assigned_at)
    where a.smtp_ip_id = smtp_ip and a.released_at is null;
    return true;
end
$$;
comment on function infrastructure.release_smtp_ip(uuid, timestamptz) is
    'lab_platform: takes an address from its tenant; it is available again, or rests if its reputation suffered. False if nobody had it.';

-- First what carries most of the expected volume, of that what is worth most: the mails it carries by its
-- reputation (a fifth less a band), less half of the room that nobody else could use then. Taking the
-- roomiest for everybody would leave the cold ones to who comes late. Then what does not share a server with
-- the tenant's other addresses, then what is cheapest.
create function infrastructure.allocate_smtp_ip(
    tenant uuid, at timestamptz default now(), expected bigint default 0, out smtp_ip_id uuid, out refusal text)
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    equals boolean;
begin
    perform from public.tenants t where t.id = tenant and t.status = 'active';
    if not found then
        refusal := infrastructure.address_refusal(tenant);
    end if;
    if refusal is not null then
        return;
    end if;
    -- Prices are looked up of equals alone. Should others have locked all of these, all count.
    foreach equals in array array[true, false] loop
        select i.id into smtp_ip_id
        from (
            select f.id, f.vps_instance_id, f.address, rank() over (
                order by f.room * 5 >= expected * 4 desc,
                         least(f.room, expected) * (1 - f.severity / 5.0::float8) - greatest(f.room - expected, 0) / 2.0::float8 desc,
                         f.vps_instance_id in (select held.vps_instance_id from infrastructure.smtp_ips held
                                               where held.owner_tenant_id = tenant)) as place
            from (
                select i.id, i.vps_instance_id, i.address, b.severity,
                       case when i.period_ends_at > at then i.allowance - i.sent_in_period
                            else infrastructure.period_allowance(
                                i.warmup_curve, today.day, step.allowance, i.daily_cap, b.volume_percent) end as room
                from infrastructure.smtp_ips i
                join infrastructure.vps_instances v on v.id = i.vps_instance_id
                join infrastructure.reputation_bands b on b.band = i.health
                cross join lateral (select infrastructure.warmup_day(i.warmup_day, i.last_sent_at, at) as day) today
                left join infrastructure.warmup_steps step on step.curve = i.warmup_curve and step.day = today.day
                where i.status = 'available' and b.severity <= 1 and v.status = 'active'
                  and (i.created_at <= at) is not false  -- nearly all, but a bare comparison is taken for a third
                offset 0) f  -- or the room of each would be worked out three times
            ) c
        join infrastructure.smtp_ips i on i.id = c.id
        join infrastructure.vps_instances v on v.id = c.vps_instance_id
        where (c.place = 1 or not equals) and i.status = 'available' and v.status = 'active'
        order by c.place,
                 infrastructure.address_price(c.id, c.vps_instance_id, (at at time zone 'UTC')::date), c.address
        limit 1
        for share of v skip locked
        for update of i skip locked;
        exit when found;
    end loop;
    if smtp_ip_id is null then
        refusal := 'no_free_address';
        return;
    end if;
    perform infrastructure.hand_over_smtp_ip(tenant, smtp_ip_id, at);
end
$$;
comment on function infrastructure.allocate_smtp_ip(uuid, timestamptz, bigint) is
    'lab_platform: gives a tenant the free address that suits it best, for so many mails a day. Refusals: tenant_suspended, no_free_address.';

create function infrastructure.replace_smtp_ip(
    smtp_ip uuid, forced boolean, at timestamptz default now(),
    out replacement uuid, out expected bigint, out room bigint, out refusal text)
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    owner uuid;
begin
    select i.owner_tenant_id into owner
    from infrastructure.smtp_ips i where i.id = smtp_ip and i.status = 'assigned' for update;
    if not found then
        refusal := 'not_assigned';
        return;
    end if;
    select coalesce(ceil(sum(s.sent) / 7.0), 0) into expected
    from infrastructure.daily_sends s
    where s.tenant_id = owner and s.smtp_ip_id = smtp_ip
      and s.day < (at at time zone 'UTC')::date and s.day >= (at at time zone 'UTC')::date - 7;
    select a.smtp_ip_id, a.refusal into replacement, refusal
    from infrastructure.allocate_smtp_ip(owner, at, expected) a;
    if replacement is not null or forced then
        perform infrastructure.release_smtp_ip(smtp_ip, at);
    end if;
    select coalesce(sum(infrastructure.address_room(i, at)), 0) into room
    from infrastructure.smtp_ips i where i.owner_tenant_id = owner;
end
$$;
comment on function infrastructure.replace_smtp_ip(uuid, boolean, timestamptz) is
    'lab_platform: puts another address in an address''s place, which warms up as it must: of the mails expected today, what exceeds the tenant''s room waits. Forced: the old one goes even if there is no other. Refusals: not_assigned, no_free_address.';

-- Locked, never waited for, and judged again once locked: several sessions share a storm, and what has
-- recovered meanwhile is left alone.
create function infrastructure.rotate_smtp_ips(at timestamptz default now(), most integer default null)
    returns table (smtp_ip uuid, replacement uuid, expected bigint, room bigint, refusal text)
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    worn record;
    band text;
    moved integer := 0;
begin
    for worn in
        select i.id from infrastructure.smtp_ips i
        where i.status = 'assigned' and i.health in ('quarantined', 'blocked') and i.created_at <= at
        order by i.health = 'blocked' desc, i.id
    loop
        exit when moved >= most;
        select i.health into band from infrastructure.smtp_ips i
        where i.id = worn.id and i.status = 'assigned' and i.health in ('quarantined', 'blocked')
        for update skip locked;
        continue when not found;
        moved := moved + 1;
        return query select worn.id, r.* from infrastructure.replace_smtp_ip(worn.id, band = 'blocked', at) r;
    end loop;
end
$$;
comment on function infrastructure.rotate_smtp_ips(timestamptz, integer) is
    'lab_platform: replaces addresses whose reputation is lost, so many at most: blocked ones first and anyway, quarantined ones if there is another. Those that another session is at are left to it.';

create function infrastructure.report_blocklisting(smtp_ip uuid, listed boolean, at timestamptz default now()) returns text
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    band text;
begin
    update infrastructure.smtp_ips i
    set health = case when listed then 'blocked' when i.health = 'blocked' then 'watched' else i.health end, updated_at = at
    where i.id = smtp_ip and i.status <> 'retired'
    returning i.health into band;
    if not found then
        raise exception 'address % does not exist or is retired', smtp_ip using errcode = 'invalid_parameter_value';
    end if;
    return band;
end
$$;
comment on function infrastructure.report_blocklisting(uuid, boolean, timestamptz) is
    'lab_platform: a blocklist has an address, or has it no more; returns its band. A listed one is blocked and sends nothing from now on; one that is taken off the list is watched, until its own rates are judged again.';

-- A tenant is locked, then looked at again: two sessions give nobody two.
create function infrastructure.supply_smtp_ips(at timestamptz default now())
    returns table (tenant uuid, smtp_ip uuid, expected bigint, refusal text)
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    waiting record;
begin
    for waiting in
        select t.id from public.tenants t
        where t.status in ('created', 'active')
          and not exists (select from infrastructure.smtp_ips i where i.owner_tenant_id = t.id)
          and exists (select from infrastructure.email_accounts a
                      join infrastructure.domains d on d.tenant_id = a.tenant_id and d.id = a.domain_id
                      where a.tenant_id = t.id and a.provider = 'smtp' and a.status = 'active' and d.status = 'verified')
        order by t.id
    loop
        perform from public.tenants t
        where t.id = waiting.id and t.status in ('created', 'active') for no key update skip locked;
        continue when not found
            or exists (select from infrastructure.smtp_ips i where i.owner_tenant_id = waiting.id);
        tenant := waiting.id;
        select coalesce(ceil(sum(s.sent) / 7.0), 0) into expected
        from infrastructure.daily_sends s
        where s.tenant_id = waiting.id and s.smtp_ip_id is not null
          and s.day < (at at time zone 'UTC')::date and s.day >= (at at time zone 'UTC')::date - 7;
        select a.smtp_ip_id, a.refusal into smtp_ip, refusal from infrastructure.allocate_smtp_ip(waiting.id, at, expected) a;
        return next;
    end loop;
end
$$;
comment on function infrastructure.supply_smtp_ips(timestamptz) is
    'lab_platform: gives each tenant that would send through an address and has none one, as far as there are any. Refusals: those of allocate_smtp_ip.';

create function infrastructure.address_shortage(at timestamptz default now()) returns text
    language sql stable
begin atomic
    select format('no address is free: %s are assigned, %s rest (the first until %s), %s are blocklisted or worn, %s are on servers '
                  'that are not active; rent addresses, or bring a server back%s',
                  count(*) filter (where i.status = 'assigned'), count(*) filter (where i.status = 'resting'),
                  coalesce(to_char((min(coalesce(i.last_sent_at, i.updated_at)) filter (where i.status = 'resting')
                                    + interval '30 days') at time zone 'UTC', 'YYYY-MM-DD'), 'none'),
                  count(*) filter (where i.status = 'available' and b.severity > 1),
                  count(*) filter (where i.status = 'available' and b.severity <= 1 and v.status <> 'active'),
                  case when bool_or(i.status = 'resting' and coalesce(i.last_sent_at, i.updated_at) <= address_shortage.at - interval '30 days')
                       then '; or call reinstate_rested_ips, some have rested' else '' end)
    from infrastructure.smtp_ips i
    join infrastructure.vps_instances v on v.id = i.vps_instance_id
    join infrastructure.reputation_bands b on b.band = i.health
    where i.status <> 'retired' and i.created_at <= address_shortage.at
    having coalesce(not bool_or(i.status = 'available' and b.severity <= 1 and v.status = 'active'), true);
end;
comment on function infrastructure.address_shortage(timestamptz) is
    'lab_platform: why no address is free, and what to do about it; null while one is.';

create function infrastructure.reinstate_rested_ips(at timestamptz default now()) returns bigint
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    reinstated bigint;
begin
    update infrastructure.smtp_ips i set status = 'available', health = 'healthy', updated_at = at
    where i.status = 'resting' and coalesce(i.last_sent_at, i.updated_at) <= at - interval '30 days';
    get diagnostics reinstated = row_count;
    return reinstated;
end
$$;
comment on function infrastructure.reinstate_rested_ips(timestamptz) is
    'lab_platform: addresses that rested for 30 days are available again, cold; returns how many.';

create function infrastructure.hand_over_addresses(vps_instance uuid, lost boolean, at timestamptz)
    returns table (smtp_ip uuid, replacement uuid, expected bigint, room bigint, refusal text)
    language sql
    set search_path = pg_catalog
begin atomic
    select i.id, r.replacement, r.expected, r.room, r.refusal
    from (select s.id from infrastructure.smtp_ips s
          where s.vps_instance_id = hand_over_addresses.vps_instance and s.status = 'assigned' order by s.id) i
    cross join lateral infrastructure.replace_smtp_ip(i.id, hand_over_addresses.lost, hand_over_addresses.at) r;
end;
comment on function infrastructure.hand_over_addresses(uuid, boolean, timestamptz) is
    'lab_platform: replaces every assigned address of a server, one after the other, as far as there are any.';

create function infrastructure.fail_vps_instance(vps_instance uuid, at timestamptz default now())
    returns table (smtp_ip uuid, replacement uuid, expected bigint, room bigint, refusal text)
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    update infrastructure.vps_instances v set status = 'failed'
    where v.id = vps_instance and v.status <> 'failed';
    if not found then
        raise exception 'instance % does not exist or is failed already', vps_instance
            using errcode = 'invalid_parameter_value';
    end if;
    return query select h.* from infrastructure.hand_over_addresses(vps_instance, true, at) h;
end
$$;
comment on function infrastructure.fail_vps_instance(uuid, timestamptz) is
    'lab_platform: a server is out of order: its addresses are replaced by others, as far as there are any.';

create function infrastructure.drain_vps_instance(vps_instance uuid, at timestamptz default now())
    returns table (smtp_ip uuid, replacement uuid, expected bigint, room bigint, refusal text)
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    update infrastructure.vps_instances v set status = 'draining'
    where v.id = vps_instance and v.status in ('active', 'draining');
    if not found then
        raise exception 'instance % is not active', vps_instance using errcode = 'invalid_parameter_value';
    end if;
    return query select h.* from infrastructure.hand_over_addresses(vps_instance, false, at) h;
end
$$;
comment on function infrastructure.drain_vps_instance(uuid, timestamptz) is
    'lab_platform: a server is to be given up: nobody new gets an address of it, and who has one gets another as far as there are any. To be called again until none is assigned, then retire_vps_instance.';

create function infrastructure.retire_vps_instance(vps_instance uuid, at timestamptz default now()) returns void
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    in_use bigint;
begin
    -- One that is assigned meanwhile is refused by the state machine.
    select count(*) into in_use
    from infrastructure.smtp_ips i where i.vps_instance_id = vps_instance and i.status = 'assigned';
    if in_use > 0 then
        raise exception 'instance % cannot retire: % of its addresses are assigned', vps_instance, in_use
            using errcode = 'check_violation';
    end if;
    update infrastructure.smtp_ips i set status = 'retired', updated_at = at
    where i.vps_instance_id = vps_instance and i.status <> 'retired';
    update infrastructure.vps_instances v set status = 'retired', retired_at = at
    where v.id = vps_instance and v.status <> 'retired';
    if not found then
        raise exception 'instance % does not exist or is retired already', vps_instance
            using errcode = 'invalid_parameter_value';
    end if;
end
$$;
comment on function infrastructure.retire_vps_instance(uuid, timestamptz) is
    'lab_platform: gives a server and its addresses up, none of which may be assigned.';

create function infrastructure.release_tenant(
    tenant uuid, at timestamptz default now(),
    out addresses_released bigint, out assignments_removed bigint, out names_released bigint, out shares_detached bigint)
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    select count(*) filter (where infrastructure.release_smtp_ip(held.id, at)) into addresses_released
    from (select i.id from infrastructure.smtp_ips i
          where i.owner_tenant_id = tenant order by i.id for update) as held;
    delete from infrastructure.ip_assignments a where a.owner_tenant_id = tenant;
    get diagnostics assignments_removed = row_count;
    delete from infrastructure.verified_domains v where v.owner_tenant_id = tenant;
    get diagnostics names_released = row_count;
    update infrastructure.cost_shares s set owner_tenant_id = null where s.owner_tenant_id = tenant;
    get diagnostics shares_detached = row_count;
end
$$;
comment on function infrastructure.release_tenant(uuid, timestamptz) is
    'lab_platform: takes a tenant that is purged out of the shared tables; closed books keep their sums. Says how much.';

revoke execute on all functions in schema infrastructure from public;
grant execute on all functions in schema infrastructure to lab_platform;
