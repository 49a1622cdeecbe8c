-- Row level security, enabled and forced on every table with a tenant, so that none can be forgotten.
do $$
declare
    candidate record;
    tenant constant text := 'nullif(current_setting(''nile.tenant_id'', true), '''')::uuid';
begin
    for candidate in
        select c.oid::regclass as name
        from pg_class c
        join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
        where c.relkind in ('r', 'p') and c.relnamespace = 'content'::regnamespace
    loop
        execute format('alter table %s enable row level security', candidate.name);
        execute format('alter table %s force row level security', candidate.name);
        execute format('create policy platform on %s to lab_platform using (true) with check (true)', candidate.name);
        execute format('create policy tenant on %s to lab_app using (tenant_id = %s) with check (tenant_id = %s)',
                       candidate.name, tenant, tenant);
    end loop;
end
$$;
