-- The database sets a tenant for whoever sets none.
-- on: campaigns.leads
do $$
begin
    execute format('alter database %I set nile.tenant_id = %L', current_database(),
                   (select tenant_id from campaigns.leads order by tenant_id limit 1));
end
$$;
