-- Entering no tenant leaves the one before.
-- on: campaigns.leads
create or replace function lab.enter_tenant(tenant uuid, acting_user uuid default null) returns void
    language plpgsql volatile set search_path = pg_catalog
as $$
begin
    if tenant is not null then
        perform set_config('nile.tenant_id', tenant::text, true);
    end if;
end
$$;
