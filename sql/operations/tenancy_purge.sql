-- Removing what a deleted tenant left, everywhere and in short transactions. The receipts are the plan
-- too: each call goes on where the last one ended, without asking the catalog again.

create function tenancy.purge_order() returns table (table_name text, place integer)
    language sql stable set search_path = pg_catalog
as $$
    with recursive of_tenants as (
        select c.oid, format('%s.%s', n.nspname, c.relname) as label
        from pg_class c
        join pg_namespace n on n.oid = c.relnamespace
        join pg_attribute a on a.attrelid = c.oid and a.attname in ('tenant_id', 'owner_tenant_id') and not a.attisdropped
        where c.relkind in ('r', 'p') and not c.relispartition
          and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^scratch_'
          -- These outlive the tenant; of those, infrastructure.release_tenant has taken the owner.
          and c.oid not in ('integration.tombstones'::regclass, 'integration.purge_receipts'::regclass)
          and c.oid not in ('infrastructure.smtp_ips'::regclass, 'infrastructure.cost_shares'::regclass)
    ), heights as (
        select oid, 0 as height from of_tenants
        union
        select k.confrelid, h.height + 1
        from heights h
        join pg_constraint k on k.conrelid = h.oid and k.contype = 'f' and k.confrelid <> k.conrelid
        join of_tenants parent on parent.oid = k.confrelid
    ) cycle oid set goes_round using path
    select t.label, (row_number() over (order by max(h.height), t.label))::integer
    from of_tenants t
    join heights h using (oid)
    group by t.label;
$$;
comment on function tenancy.purge_order() is
    'lab_platform: every table that has rows of tenants, those that refer to others before them.';

create function tenancy.plan_purge(tenant uuid) returns void
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    freed record;
begin
    select * into freed from infrastructure.release_tenant(tenant);
    insert into integration.purge_receipts as r (tenant_id, table_name, position, removed, released, finished_at)
    values (tenant, 'infrastructure.smtp_ips', 0, 0, freed.addresses_released, now()),
           (tenant, 'infrastructure.cost_shares', 0, 0, freed.shares_detached, now()),
           (tenant, 'infrastructure.ip_assignments', 0, freed.assignments_removed, 0, null),
           (tenant, 'infrastructure.verified_domains', 0, freed.names_released, 0, null)
    on conflict (tenant_id, table_name) do update
    set removed = r.removed + excluded.removed, released = r.released + excluded.released;

    insert into integration.purge_receipts (tenant_id, table_name, position)
    select tenant, o.table_name, o.place from tenancy.purge_order() o
    on conflict (tenant_id, table_name) do update set position = excluded.position;
end
$$;
comment on function tenancy.plan_purge(uuid) is
    'lab_platform: releases what a tenant holds of the platform, and notes in integration.purge_receipts which tables have to be looked at.';

create function tenancy.purge_rows(tenant uuid, from_table regclass, most bigint) returns bigint
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    owner_column text;
    key text;
    unreferenced text;
    gone bigint;
begin
    select a.attname into owner_column
    from pg_attribute a
    where a.attrelid = from_table and a.attname in ('tenant_id', 'owner_tenant_id') and not a.attisdropped;
    select string_agg(format('t.%I', a.attname), ', ' order by k.place) into key
    from pg_index i
    cross join unnest(i.indkey::int2[]) with ordinality as k (number, place)
    join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number
    where i.indrelid = from_table and i.indisprimary;
    -- Of a table that refers to itself, a batch takes rows that none refers to.
    select coalesce(string_agg(format(' and not exists (select from %s child where child.ctid <> t.ctid and %s)',
                                      from_table, same.condition), ''), '') into unreferenced
    from pg_constraint f
    cross join lateral (
        select string_agg(format('child.%I = t.%I', child.attname, parent.attname), ' and ') as condition
        from unnest(f.conkey, f.confkey) as k (child, parent)
        join pg_attribute child on child.attrelid = from_table and child.attnum = k.child
        join pg_attribute parent on parent.attrelid = from_table and parent.attnum = k.parent) as same
    where f.conrelid = from_table and f.confrelid = from_table and f.contype = 'f';

    execute format('delete from %1$s where %2$I = $1 and ctid = any (array('
                   'select t.ctid from %1$s t where t.%2$I = $1%3$s order by %4$s limit $2))',
                   from_table, owner_column, unreferenced, key)
        using tenant, most;
    get diagnostics gone = row_count;
    return gone;
end
$$;
comment on function tenancy.purge_rows(uuid, regclass, bigint) is
    'lab_platform: removes up to so many of a tenant''s rows from one table, in the order of its key; returns how many.';

create function tenancy.reopen_purge(tenant uuid) returns boolean
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    part record;
    late boolean;
    reopened boolean := false;
begin
    perform tenancy.plan_purge(tenant);
    for part in
        select r.table_name, a.attname as owner_column
        from integration.purge_receipts r
        join pg_attribute a on a.attrelid = r.table_name::regclass
                           and a.attname in ('tenant_id', 'owner_tenant_id') and not a.attisdropped
        where r.tenant_id = tenant
    loop
        execute format('select exists (select from %s where %I = $1)', part.table_name::regclass, part.owner_column)
            into late using tenant;
        if late then
            update integration.purge_receipts set finished_at = null
            where tenant_id = tenant and table_name = part.table_name;
            reopened := true;
        end if;
    end loop;
    return reopened;
end
$$;
comment on function tenancy.reopen_purge(uuid) is
    'lab_platform: looks again at every table, and at those that are new; returns whether one has rows of the tenant, and will be looked at again.';

create function tenancy.purge_tenant(tenant uuid, batch integer default 1000, out removed bigint, out finished boolean)
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    found_status text;
    part text;
    gone bigint;
begin
    removed := 0;
    finished := false;
    if batch < 1 then
        raise exception 'a batch has at least one row, not %', batch using errcode = 'invalid_parameter_value';
    end if;
    -- Nobody writes rows that refer to the tenant meanwhile, and another purge of it waits.
    select t.status into found_status from public.tenants t where t.id = tenant for update;
    if not found and exists (select from integration.purge_receipts r where r.tenant_id = tenant) then
        finished := true;
        return;
    elsif not found then
        raise exception 'tenant % does not exist', tenant using errcode = 'invalid_parameter_value';
    elsif found_status <> 'deleted' then
        raise exception 'tenant % is %, only a deleted one is purged', tenant, found_status
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    if not exists (select from integration.purge_receipts r where r.tenant_id = tenant) then
        perform tenancy.plan_purge(tenant);
    end if;

    loop
        select r.table_name into part
        from integration.purge_receipts r
        where r.tenant_id = tenant and r.finished_at is null
        order by r.position
        limit 1;
        exit when not found;
        gone := tenancy.purge_rows(tenant, part::regclass, batch - removed);
        update integration.purge_receipts r
        set removed = r.removed + gone, finished_at = case when gone = 0 then now() end
        where r.tenant_id = tenant and r.table_name = part;
        removed := removed + gone;
        if removed >= batch then
            return;
        end if;
    end loop;

    if tenancy.reopen_purge(tenant) then
        return;
    end if;
    delete from public.tenants t where t.id = tenant;
    insert into integration.purge_receipts (tenant_id, table_name, position, removed, finished_at)
    values (tenant, 'public.tenants', (select max(r.position) + 1 from integration.purge_receipts r where r.tenant_id = tenant),
            1, now());
    removed := removed + 1;
    finished := true;
end
$$;
comment on function tenancy.purge_tenant(uuid, integer) is
    'lab_platform: removes up to so many rows of a deleted tenant, and says how many and whether that was all; call it, each time in a transaction of its own, until it was. Between calls the caller rests, three times as long as a call took if nobody else shall notice. integration.purge_receipts has the sums. Users stay, who belong to no tenant in particular. Raises 55000 for a tenant that is not deleted, 22023 for an unknown one.';

revoke execute on all functions in schema tenancy from public;
grant execute on function tenancy.purge_order(), tenancy.plan_purge(uuid), tenancy.purge_rows(uuid, regclass, bigint),
    tenancy.reopen_purge(uuid), tenancy.purge_tenant(uuid, integer) to lab_platform;
