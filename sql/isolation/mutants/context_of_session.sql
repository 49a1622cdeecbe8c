-- The context is set for the session, so it outlives the transaction.
-- on: campaigns.leads
create or replace function lab.enter_tenant(tenant uuid, acting_user uuid default null) returns void
    language plpgsql volatile set search_path = pg_catalog
as $$
begin
    perform set_config('nile.tenant_id', coalesce(tenant::text, ''), false),
            set_config('nile.user_id', coalesce(acting_user::text, ''), false);
end
$$;
