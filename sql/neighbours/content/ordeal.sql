-- A business for the ordeal, and what is asked of it at the end.

-- name: tenant
insert into public.tenants (name, status) values ('Ordeal', 'active') returning id;

-- name: subscribe
select billing.create_subscription(%(tenant)s, 'scale');

-- name: delete_tenant
select tenancy.delete_tenant(%(tenant)s);

-- name: purge
select finished from tenancy.purge_tenant(%(tenant)s);

-- name: kept
select array_agg(storage_key) from campaigns.template_versions;

-- name: objects_of
select count(*) from content.objects where tenant_id = %(tenant)s;
