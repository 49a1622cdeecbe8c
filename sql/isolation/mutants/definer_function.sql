-- A function for a report runs with the rights of a role that crosses tenants.
-- on: none
create function campaigns.count_leads() returns bigint language sql stable security definer
    set search_path = pg_catalog, pg_temp
    as $$ select count(*) from campaigns.leads $$;
alter function campaigns.count_leads() owner to lab_platform;
grant execute on function campaigns.count_leads() to lab_app;
