-- Businesses for the ordeal, what happens to them and their content, and what is asked at the end.

-- name: tenant
insert into public.tenants (name, status) values ('Ordeal', 'active') returning id;

-- name: subscribe
select billing.create_subscription(%(tenant)s, 'scale');

-- name: delete_tenant
select tenancy.delete_tenant(id) from public.tenants where id = %(tenant)s and status <> 'deleted';

-- name: purge
-- In batches so small that it can die between them.
select finished from tenancy.purge_tenant(%(tenant)s, 5);

-- name: keys
select array_agg(storage_key) from campaigns.template_versions where tenant_id = %(tenant)s and template_id = %(template)s;

-- name: backup
create table if not exists lab.backup as select * from content.objects with no data;
grant select, insert, delete on lab.backup to lab_platform;

-- name: marked
select content.mark_deleting(%(tenant)s, %(keys)s);

-- name: lost
with uses as (
    delete from content.uses where tenant_id = %(tenant)s and storage_key = any (%(keys)s)
), lost as (
    delete from content.objects where tenant_id = %(tenant)s and storage_key = any (%(keys)s) returning *
)
insert into lab.backup select * from lost;

-- name: unconfirmed
delete from content.uses where tenant_id = %(tenant)s and storage_key = any (%(keys)s);

-- name: put_back
-- All that was lost, as if its authors had just stored it.
with lost as (delete from lab.backup returning *)
select content.reserve(tenant_id, storage_key, media_type, body, sha256, '0') from lost;

-- name: held
select array_agg(storage_key) from campaigns.template_versions;

-- name: left
select count(*) from content.objects where tenant_id = any (%(tenants)s);
