-- Every tenant that is to be seen.
select id as tenant_id from public.tenants
