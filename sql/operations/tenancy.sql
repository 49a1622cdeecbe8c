-- The lifecycle of a tenant: created, active, suspended, deleted. What may follow what is in
-- lab.transitions; a call that asks for anything else raises. While a tenant is suspended or deleted,
-- row level security lets the application read and not write.

create schema tenancy;
grant usage on schema tenancy to lab_app, lab_auth, lab_platform;

create function tenancy.create_tenant(tenant_name text, creator uuid) returns uuid
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    new_tenant constant uuid := public.uuid_generate_v7();
    address text;
begin
    select u.email into address from users.users u where u.id = creator and u.deleted is null;
    if not found then
        raise exception 'user % does not exist', creator using errcode = 'foreign_key_violation';
    end if;
    perform lab.enter_tenant(new_tenant, creator);
    insert into public.tenants (id, name) values (new_tenant, tenant_name);
    insert into users.tenant_users (tenant_id, user_id, roles, email)
    values (new_tenant, creator, '{owner}', address);
    perform lab.enter_tenant(null, creator);
    return new_tenant;
end
$$;
comment on function tenancy.create_tenant(text, uuid) is
    'lab_auth: a user creates a tenant and becomes its owner; returns the tenant, in status created. Raises 23503 for an unknown user. Leaves the user in context, and no tenant.';

create function tenancy.set_status(tenant uuid, wanted text) returns void
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    current_status text;
begin
    select t.status into current_status from public.tenants t where t.id = tenant for no key update;
    if not found then
        raise exception 'tenant % does not exist', tenant using errcode = 'invalid_parameter_value';
    elsif current_status = wanted then
        -- A transition too, and not an allowed one.
        raise exception 'tenant % is % already', tenant, wanted using errcode = 'check_violation';
    end if;
    update public.tenants
    set status = wanted,
        suspended_at = case when wanted = 'suspended' then now() end,
        deleted = case when wanted = 'deleted' then now() at time zone 'UTC' end,
        updated = now() at time zone 'UTC'
    where id = tenant;
end
$$;
comment on function tenancy.set_status(uuid, text) is
    'lab_platform: moves a tenant to another status. Raises 22023 for an unknown tenant, as on Nile, and 23514 for a transition that is not allowed.';

create function tenancy.activate_tenant(tenant uuid) returns void
    language sql set search_path = pg_catalog
    begin atomic select tenancy.set_status(tenant, 'active'); end;
comment on function tenancy.activate_tenant(uuid) is
    'lab_platform: a created or suspended tenant becomes active. Raises as tenancy.set_status.';

create function tenancy.suspend_tenant(tenant uuid) returns void
    language sql set search_path = pg_catalog
    begin atomic select tenancy.set_status(tenant, 'suspended'); end;
comment on function tenancy.suspend_tenant(uuid) is
    'lab_platform: an active tenant is suspended: it reads, but does not write. Raises as tenancy.set_status.';

create function tenancy.delete_tenant(tenant uuid) returns void
    language sql set search_path = pg_catalog
    begin atomic select tenancy.set_status(tenant, 'deleted'); end;
comment on function tenancy.delete_tenant(uuid) is
    'lab_platform: marks a tenant deleted; its rows stay until tenancy.purge_tenant has removed them. Raises as tenancy.set_status.';

revoke execute on all functions in schema tenancy from public;
grant execute on function tenancy.create_tenant(text, uuid) to lab_auth;
grant execute on function tenancy.set_status(uuid, text), tenancy.activate_tenant(uuid),
    tenancy.suspend_tenant(uuid), tenancy.delete_tenant(uuid) to lab_platform;
