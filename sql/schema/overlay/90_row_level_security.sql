-- Row level security, last: a foreign key added by an owner who is already forced validates falsely.
-- The policies read the settings inline, which is what keeps tenant_id = ... an index condition.

-- One statement over the catalog, so that no table can be forgotten.
do $$
declare
    candidate record;
    tenant constant text := 'nullif(current_setting(''nile.tenant_id'', true), '''')::uuid';
    -- The tenant in context, if it may write: suspended and deleted ones only read. Looked up once a
    -- statement; that the context, or the row, is compared with it leaves nothing to a statement that
    -- changes the context on its way.
    writer constant text := format('(select t.id from public.tenants t where t.id = %s '
                                   'and t.status in (''created'', ''active''))', tenant);
begin
    for candidate in
        select c.oid::regclass as name,
               exists (select from pg_attribute a
                       where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped) as has_tenant
        from pg_class c
        join pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p')
          and n.nspname not in ('pg_catalog', 'information_schema')
          and c.oid not in (select table_name from lab.shared_tables)
          and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
    loop
        execute format('alter table %s enable row level security', candidate.name);
        execute format('alter table %s force row level security', candidate.name);
        execute format('create policy platform on %s to lab_platform using (true) with check (true)', candidate.name);
        execute format('create policy analytics on %s for select to lab_analytics using (true)', candidate.name);
        if candidate.has_tenant then
            execute format('create policy tenant on %s to lab_app using (tenant_id = %s) with check (tenant_id = %s)',
                           candidate.name, tenant, tenant);
            execute format('create policy tenant_may_insert on %s as restrictive for insert to lab_app '
                           'with check (%s = %s)', candidate.name, tenant, writer);
            execute format('create policy tenant_may_update on %s as restrictive for update to lab_app '
                           'with check (%s = %s)', candidate.name, tenant, writer);
            execute format('create policy tenant_may_delete on %s as restrictive for delete to lab_app '
                           'using (tenant_id = %s)', candidate.name, writer);
        end if;
    end loop;
end
$$;

-- lab.bury() runs as the owner, whom FORCE subjects to policies too.
create policy bury on integration.tombstones for insert to lab_owner with check (true);
