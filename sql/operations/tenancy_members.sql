-- Who belongs to a tenant, and with which roles. An owner may do everything; an admin manages members
-- but no owners; other roles are names that the tenant gives meaning to. Changes of one tenant's members
-- take turns behind a lock on the tenant, which also keeps its status as it was found. Every refusal
-- here that is about roles stands in the policies of lab_auth as well; that an owner stays, only here.

create function tenancy.enter_as_member(tenant uuid, acting_user uuid) returns text[]
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    found_status text;
    held text[];
begin
    perform lab.enter_tenant(tenant, acting_user);
    select t.status into found_status from public.tenants t where t.id = tenant for no key update;
    if not found then
        raise exception 'tenant % does not exist', tenant using errcode = 'invalid_parameter_value';
    elsif found_status not in ('created', 'active') then
        raise exception 'tenant % is %', tenant, found_status using errcode = 'object_not_in_prerequisite_state';
    end if;
    select coalesce(m.roles, '{}') into held
    from users.tenant_users m
    where m.tenant_id = tenant and m.user_id = acting_user and m.deleted is null;
    if not found then
        raise exception 'user % does not belong to tenant %', acting_user, tenant
            using errcode = 'insufficient_privilege';
    end if;
    return held;
end
$$;
comment on function tenancy.enter_as_member(uuid, uuid) is
    'lab_auth: locks a tenant and puts it and its user in context; returns the user''s roles there. Raises 22023 for an unknown tenant, 55000 for a suspended or deleted one, 42501 for who is no member.';

create function tenancy.enter_as_manager(tenant uuid, acting_user uuid) returns text[]
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    held constant text[] := tenancy.enter_as_member(tenant, acting_user);
begin
    if not held && '{owner,admin}' then
        raise exception 'user % is neither owner nor admin of tenant %', acting_user, tenant
            using errcode = 'insufficient_privilege';
    end if;
    return held;
end
$$;
comment on function tenancy.enter_as_manager(uuid, uuid) is
    'lab_auth: tenancy.enter_as_member for an owner or admin. Raises 42501 for others.';

create function tenancy.check_grantable(held text[], granted text[]) returns void
    language plpgsql immutable
    set search_path = pg_catalog
as $$
begin
    if coalesce(cardinality(granted), 0) = 0 or array_position(granted, null) is not null then
        raise exception 'a member has one role or more' using errcode = 'invalid_parameter_value';
    elsif 'owner' = any (granted) and not 'owner' = any (held) then
        raise exception 'only an owner makes owners' using errcode = 'insufficient_privilege';
    end if;
end
$$;
comment on function tenancy.check_grantable(text[], text[]) is
    'lab_auth: whether who holds some roles may grant others. Raises 42501 for roles above their own, 22023 for no roles at all.';

create function tenancy.invite(
    tenant uuid, inviter uuid, address text, granted text[], secret text, at timestamptz default now()) returns uuid
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    held constant text[] := tenancy.enter_as_manager(tenant, inviter);
    invited constant text := lower(btrim(address));
    invite uuid;
begin
    perform tenancy.check_grantable(held, granted);
    if exists (select from users.users u
               join users.tenant_users m on m.user_id = u.id
               where u.email = invited and u.deleted is null and m.tenant_id = tenant) then
        raise exception '% belongs to tenant % already', invited, tenant using errcode = 'unique_violation';
    end if;
    insert into auth.invites (tenant_id, identifier, token, roles, created_by, expires)
    values (tenant, invited, secret, granted, inviter, at + interval '7 days')
    on conflict (tenant_id, identifier) do update
    set token = excluded.token, roles = excluded.roles, created_by = excluded.created_by, expires = excluded.expires
    returning id into invite;
    return invite;
end
$$;
comment on function tenancy.invite(uuid, uuid, text, text[], text, timestamptz) is
    'lab_auth: an owner or admin invites an address, for seven days, in place of an earlier invite; returns the invite. Raises 42501 for who may not, 23505 for a member, and as tenancy.enter_as_member.';

create function tenancy.withdraw_invite(tenant uuid, acting_user uuid, address text) returns boolean
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    perform tenancy.enter_as_manager(tenant, acting_user);
    delete from auth.invites i where i.tenant_id = tenant and i.identifier = lower(btrim(address));
    return found;
end
$$;
comment on function tenancy.withdraw_invite(uuid, uuid, text) is
    'lab_auth: an owner or admin (of an owner''s invite an owner) takes it back; returns whether there was one. Raises as tenancy.enter_as_manager.';

create function tenancy.accept_invite(secret text, acting_user uuid, at timestamptz default now()) returns uuid
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    invite auth.invites;
    address text;
begin
    select u.email into address from users.users u where u.id = acting_user and u.deleted is null;
    perform lab.enter_tenant(null, acting_user);
    select i.* into invite from auth.invites i where i.token = secret and i.identifier = address;
    if not found then
        raise exception 'there is no such invite for %', coalesce(address, 'an unknown user')
            using errcode = 'no_data_found';
    elsif invite.expires <= at then
        raise exception 'the invite of % expired at %', address, invite.expires
            using errcode = 'invalid_parameter_value';
    end if;
    -- Who has left, or lost the right, does not invite any more.
    perform tenancy.check_grantable(tenancy.enter_as_manager(invite.tenant_id, invite.created_by), invite.roles);

    perform lab.enter_tenant(null, acting_user);
    insert into users.tenant_users (tenant_id, user_id, roles, email)
    select i.tenant_id, acting_user, i.roles, address
    from auth.invites i
    where i.tenant_id = invite.tenant_id and i.id = invite.id and i.token = secret and i.roles = invite.roles;
    delete from auth.invites i
    where i.tenant_id = invite.tenant_id and i.id = invite.id and i.token = secret and i.roles = invite.roles;
    if not found then  -- used up, or replaced, before the tenant was ours to lock
        raise exception 'there is no such invite for %', address using errcode = 'no_data_found';
    end if;
    return invite.tenant_id;
end
$$;
comment on function tenancy.accept_invite(text, uuid, timestamptz) is
    'lab_auth: the invited user joins with the roles of the invite, which works once; returns the tenant. Raises P0002 when there is no such invite for their address, 22023 when it has expired, 42501 when its inviter may not invite any more, 23505 for a member, 55000 for a suspended or deleted tenant. Leaves the user in context, and no tenant.';

create function tenancy.expire_invites(at timestamptz default now()) returns bigint
    language sql set search_path = pg_catalog
    begin atomic
        with gone as (delete from auth.invites where expires <= at returning 1)
        select count(*) from gone;
    end;
comment on function tenancy.expire_invites(timestamptz) is 'lab_platform: removes invites that have expired; returns how many.';

-- The lock on the tenant keeps the answer true until the transaction ends.
create function tenancy.check_owner_stays(tenant uuid, held text[], member uuid, granted text[]) returns void
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    before text[];
begin
    select coalesce(m.roles, '{}') into before
    from users.tenant_users m
    where m.tenant_id = tenant and m.user_id = member and m.deleted is null;
    if not found then
        raise exception 'user % does not belong to tenant %', member, tenant using errcode = 'no_data_found';
    elsif 'owner' = any (before) and not 'owner' = any (held) then
        raise exception 'only an owner changes owners' using errcode = 'insufficient_privilege';
    elsif 'owner' = any (before) and not 'owner' = any (granted)
          and not exists (select from users.tenant_users o
                          where o.tenant_id = tenant and o.user_id <> member and o.deleted is null
                            and 'owner' = any (o.roles)) then
        raise exception 'tenant % would have no owner', tenant using errcode = 'check_violation';
    end if;
end
$$;
comment on function tenancy.check_owner_stays(uuid, text[], uuid, text[]) is
    'lab_auth: whether who holds some roles may give a member others (none: remove them). Raises 42501 when an owner is touched by who is none, 23514 when no owner would be left, P0002 for who is no member.';

create function tenancy.change_roles(tenant uuid, acting_user uuid, member uuid, granted text[]) returns void
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    held constant text[] := tenancy.enter_as_manager(tenant, acting_user);
begin
    perform tenancy.check_grantable(held, granted);
    perform tenancy.check_owner_stays(tenant, held, member, granted);
    if member = acting_user and not 'owner' = any (held) and not granted <@ held then
        raise exception 'nobody but an owner gives themselves roles' using errcode = 'insufficient_privilege';
    end if;
    update users.tenant_users
    set roles = granted, updated = now() at time zone 'UTC'
    where tenant_id = tenant and user_id = member and deleted is null;
end
$$;
comment on function tenancy.change_roles(uuid, uuid, uuid, text[]) is
    'lab_auth: an owner or admin gives a member other roles. Raises 42501 for roles above their own or an owner''s, 23514 when no owner would be left, P0002 for who is no member, and as tenancy.enter_as_manager.';

create function tenancy.remove_member(tenant uuid, acting_user uuid, member uuid) returns void
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    held constant text[] := case when acting_user = member then tenancy.enter_as_member(tenant, acting_user)
                                 else tenancy.enter_as_manager(tenant, acting_user) end;
begin
    perform tenancy.check_owner_stays(tenant, held, member, '{}');
    delete from users.tenant_users where tenant_id = tenant and user_id = member;
end
$$;
comment on function tenancy.remove_member(uuid, uuid, uuid) is
    'lab_auth: an owner or admin ends a membership, or a member leaves; as on Nile, the row goes. Raises as tenancy.change_roles.';

revoke execute on all functions in schema tenancy from public;
grant execute on function
    tenancy.enter_as_member(uuid, uuid), tenancy.enter_as_manager(uuid, uuid), tenancy.check_grantable(text[], text[]),
    tenancy.check_owner_stays(uuid, text[], uuid, text[]),
    tenancy.invite(uuid, uuid, text, text[], text, timestamptz), tenancy.withdraw_invite(uuid, uuid, text),
    tenancy.accept_invite(text, uuid, timestamptz), tenancy.change_roles(uuid, uuid, uuid, text[]),
    tenancy.remove_member(uuid, uuid, uuid)
    to lab_auth;
grant execute on function tenancy.expire_invites(timestamptz) to lab_platform;
