-- What every load run leans on while it lasts: a schema of its own, scratch_load, that tells scripts
-- which tenants and rows to ask for. The session that made it holds an advisory lock of its name, so
-- that a schema without that lock is known to be left over.

-- name: lock
select pg_try_advisory_lock(hashtext('scratch_load'));

-- name: unlock
select pg_advisory_unlock(hashtext('scratch_load'));

-- name: drop
drop schema if exists scratch_load cascade;

-- name: create
create schema scratch_load;
grant usage on schema scratch_load to lab_app, lab_platform;

create table scratch_load.tenants (
    tenant      integer primary key,  -- rank by number of leads
    tenant_id   uuid not null,
    campaign_id uuid,                 -- the load run's own
    step_id     uuid
);

-- Rows that scripts ask for, the same number for every tenant; small tenants' leads come round again.
create table scratch_load.targets (
    tenant        integer,
    target        integer,
    lead_id       uuid not null,
    email_norm    text not null,
    enrollment_id uuid,               -- in the load run's own campaign
    primary key (tenant, target)
);
grant select, insert, update on scratch_load.tenants, scratch_load.targets to lab_platform;
grant select on scratch_load.targets to lab_app;

-- An invariant that every script states about what a statement without a tenant filter has read: rows
-- of this tenant, and of no other. No rows are a breach as well.
create function scratch_load.assert_isolated(tenant uuid, seen uuid[]) returns void
    language plpgsql
as $$
begin
    if seen is distinct from array[tenant] then
        raise exception 'isolation broken: in the context of tenant %, rows of % were seen',
            tenant, coalesce(seen::text, 'nobody')
            using errcode = 'P0004';
    end if;
end
$$;

-- What the application does with an answer or a refusal, neither of which is a failure of its transaction: it
-- is counted, in a row a session where many would wait for one another.
create table scratch_load.outcomes (
    operation text,
    outcome   text,
    session   integer,
    calls     bigint not null,
    primary key (operation, outcome, session)
) with (fillfactor = 50);
grant select, insert, update on scratch_load.outcomes to lab_app, lab_platform;

create function scratch_load.note(operation text, outcome text, session integer) returns text
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    insert into scratch_load.outcomes as o (operation, outcome, session, calls)
    values (note.operation, note.outcome, note.session, 1)
    on conflict on constraint outcomes_pkey do update set calls = o.calls + 1;
    return outcome;
end
$$;

-- What a load run writes to: one campaign a tenant, marked with the run, and its targets enrolled in it.
-- Paused: what is sent belongs to no report of running campaigns.
create function scratch_load.make_campaigns(run text) returns void
    language sql
as $$
    with created as (
        insert into campaigns.campaigns (tenant_id, name, status, external_id)
        select tenant_id, 'Load run', 'paused', 'load:' || run
        from scratch_load.tenants
        returning tenant_id, id
    ), first_steps as (
        insert into campaigns.steps (tenant_id, campaign_id, position)
        select tenant_id, id, 1
        from created
        returning tenant_id, campaign_id, id
    )
    update scratch_load.tenants
    set campaign_id = s.campaign_id, step_id = s.id
    from first_steps s
    where s.tenant_id = tenants.tenant_id;

    with enrolled as (
        insert into campaigns.enrollments (tenant_id, campaign_id, lead_id, step_id, due_at)
        select distinct on (t.tenant_id, g.lead_id) t.tenant_id, t.campaign_id, g.lead_id, t.step_id, now()
        from scratch_load.tenants t
        join scratch_load.targets g using (tenant)
        returning tenant_id, lead_id, id
    )
    update scratch_load.targets
    set enrollment_id = e.id
    from enrolled e
    join scratch_load.tenants t on t.tenant_id = e.tenant_id
    where targets.tenant = t.tenant and targets.lead_id = e.lead_id;
$$;

-- What a workload's teardown.sql removes: every row of tenants of a run's own, named load:RUN, also of one
-- that was killed. Only tombstones are left, by which the warehouse forgets what it has seen. As
-- tenancy.purge_tenant does, but for all at once: that takes a tenth of a second each, and leaves fifty
-- receipts each.
create function scratch_load.purge_tenants() returns void
    language plpgsql
as $$
declare
    part record;
begin
    if not exists (select from public.tenants where name like 'load:%') then
        return;
    end if;
    for part in
        select o.table_name, a.attname as owner_column
        from tenancy.purge_order() o
        join pg_attribute a on a.attrelid = o.table_name::regclass
            and a.attname in ('tenant_id', 'owner_tenant_id') and not a.attisdropped
        order by o.place
    loop
        execute format(
            'delete from %s where %I in (select id from public.tenants where name like ''load:%%'')',
            part.table_name, part.owner_column);
    end loop;
    delete from public.tenants where name like 'load:%';
end
$$;

-- name: choose_tenants
-- The largest active tenants.
insert into scratch_load.tenants (tenant, tenant_id)
select row_number() over (order by count(*) desc, l.tenant_id), l.tenant_id
from campaigns.leads l
join public.tenants t on t.id = l.tenant_id
where t.status = 'active'
group by l.tenant_id
order by count(*) desc, l.tenant_id
limit %(tenants)s;

-- name: choose_targets
insert into scratch_load.targets (tenant, target, lead_id, email_norm)
select t.tenant, target, l.id, l.email_norm
from scratch_load.tenants t
cross join lateral (
    select id, email_norm, row_number() over (order by id) as place, count(*) over () as leads
    from campaigns.leads
    where tenant_id = t.tenant_id
    limit %(targets)s
) as l
cross join generate_series(l.place, %(targets)s, least(l.leads, %(targets)s)) as target;

-- name: make_campaigns
select scratch_load.make_campaigns(%(run_id)s);

-- name: define_lookups
-- Constant arrays: a script's numbers become ids without reading a table.
do $$
declare
    name text;
    ids  text;
begin
    foreach name in array array['tenant', 'campaign', 'step'] loop
        execute format('select array_agg(%I order by tenant)::text from scratch_load.tenants', name || '_id')
            into ids;
        execute format(
            'create function scratch_load.%I(tenant integer) returns uuid language sql immutable '
            'parallel safe return (%L::uuid[])[tenant]', name, ids);
    end loop;
end
$$;
analyze scratch_load.tenants, scratch_load.targets;

-- name: sizes
select max(tenant), max(target) from scratch_load.targets;
