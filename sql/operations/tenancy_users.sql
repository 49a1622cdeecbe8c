-- Users, how they log in, and which of their tenants they are in. Secrets (session tokens, what is
-- mailed) are drawn by the caller.

create function tenancy.create_user(address text, display_name text default null) returns uuid
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    new_user constant uuid := public.uuid_generate_v7();
begin
    if btrim(address) !~ '^[^@\s]+@[^@\s]+$' then
        raise exception '% is no email address', quote_literal(address) using errcode = 'invalid_parameter_value';
    end if;
    insert into users.users (id, email, name) values (new_user, lower(btrim(address)), display_name);
    return new_user;
end
$$;
comment on function tenancy.create_user(text, text) is
    'lab_auth: signs a user up and returns them. Raises 23505 for an address that a living user has, 22023 for what is no address.';

create function tenancy.issue_verification(
    address text, secret text, lasts interval default '1 day', at timestamptz default now()) returns timestamptz
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    if not exists (select from users.users u where u.email = lower(btrim(address)) and u.deleted is null) then
        raise exception 'no user has the address %', address using errcode = 'no_data_found';
    end if;
    delete from auth.verification_tokens v where v.identifier = lower(btrim(address));
    insert into auth.verification_tokens (identifier, token, expires)
    values (lower(btrim(address)), secret, at + lasts);
    return at + lasts;
end
$$;
comment on function tenancy.issue_verification(text, text, interval, timestamptz) is
    'lab_auth: notes the secret that is mailed to an address, in place of earlier ones; returns when it expires. Raises P0002 when no living user has the address.';

create function tenancy.verify_address(address text, secret text, at timestamptz default now()) returns uuid
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    expired_at timestamptz;
    verified uuid;
begin
    delete from auth.verification_tokens v
    where v.identifier = lower(btrim(address)) and v.token = secret
    returning v.expires into expired_at;
    if not found then
        raise exception 'there is no such verification for %', address using errcode = 'no_data_found';
    elsif expired_at <= at then
        raise exception 'the verification of % expired at %', address, expired_at
            using errcode = 'invalid_parameter_value';
    end if;
    update users.users u
    set email_verified = coalesce(u.email_verified, at at time zone 'UTC'), updated = at at time zone 'UTC'
    where u.email = lower(btrim(address)) and u.deleted is null
    returning u.id into verified;
    if not found then
        raise exception 'no user has the address %', address using errcode = 'no_data_found';
    end if;
    return verified;
end
$$;
comment on function tenancy.verify_address(text, text, timestamptz) is
    'lab_auth: somebody shows the secret that was mailed, which works once; returns whose address it is. Raises P0002 when there is no such secret or user, 22023 when it has expired.';

create function tenancy.open_session(
    acting_user uuid, token text, lasts interval default '30 days', at timestamptz default now()) returns uuid
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    session uuid;
begin
    insert into auth.sessions (user_id, session_token, expires_at)
    select u.id, token, at + lasts from users.users u where u.id = acting_user and u.deleted is null
    returning id into session;
    if not found then
        raise exception 'user % does not exist', acting_user using errcode = 'foreign_key_violation';
    end if;
    return session;
end
$$;
comment on function tenancy.open_session(uuid, text, interval, timestamptz) is
    'lab_auth: logs a user in, who has proven who they are, and returns the session. Raises 23503 for an unknown user, 23505 for a token in use.';

create function tenancy.close_session(token text) returns boolean
    language sql set search_path = pg_catalog
    begin atomic
        with gone as (delete from auth.sessions where session_token = token returning 1)
        select exists (select from gone);
    end;
comment on function tenancy.close_session(text) is 'lab_auth: logs out; returns whether there was such a session.';

create function tenancy.close_sessions(acting_user uuid) returns bigint
    language sql set search_path = pg_catalog
    begin atomic
        with gone as (delete from auth.sessions where user_id = acting_user returning 1)
        select count(*) from gone;
    end;
comment on function tenancy.close_sessions(uuid) is 'lab_auth: logs a user out everywhere; returns how many sessions ended.';

create function tenancy.user_of_session(token text, at timestamptz default now()) returns uuid
    language sql stable set search_path = pg_catalog
    begin atomic
        select s.user_id
        from auth.sessions s
        join users.users u on u.id = s.user_id and u.deleted is null
        where s.session_token = token and s.expires_at > at;
    end;
comment on function tenancy.user_of_session(text, timestamptz) is
    'lab_auth: whose session it is; null when it is unknown or has expired.';

create function tenancy.require_user(token text, at timestamptz default now()) returns uuid
    language plpgsql stable
    set search_path = pg_catalog
as $$
declare
    acting_user constant uuid := tenancy.user_of_session(token, at);
begin
    if acting_user is null then
        raise exception 'the session is unknown or has expired' using errcode = 'invalid_authorization_specification';
    end if;
    return acting_user;
end
$$;
comment on function tenancy.require_user(text, timestamptz) is
    'lab_auth: whose session it is. Raises 28000 when it is unknown or has expired.';

create function tenancy.expire_log_ins(
    at timestamptz default now(), out sessions bigint, out verifications bigint, out attempts bigint)
    language sql set search_path = pg_catalog
    begin atomic
        with gone_sessions as (delete from auth.sessions where expires_at <= at returning 1),
             gone_verifications as (delete from auth.verification_tokens where expires <= at returning 1),
             gone_attempts as (delete from auth.log_in_attempts where since <= at - interval '1 day' returning 1)
        select (select count(*) from gone_sessions), (select count(*) from gone_verifications),
               (select count(*) from gone_attempts);
    end;
comment on function tenancy.expire_log_ins(timestamptz) is
    'lab_platform: removes sessions and verifications that have expired, and attempts to log in that are a day old; returns how many.';

create function tenancy.list_tenants(acting_user uuid)
    returns table (tenant_id uuid, name text, status text, roles text[])
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    perform lab.enter_tenant(null, acting_user);
    return query
        select t.id, t.name, t.status, m.roles
        from users.tenant_users m
        join public.tenants t on t.id = m.tenant_id
        where m.user_id = acting_user and m.deleted is null and t.status <> 'deleted'
        order by t.name, t.id;
end
$$;
comment on function tenancy.list_tenants(uuid) is
    'lab_auth: the tenants that a user belongs to, without deleted ones. Leaves the user in context, and no tenant.';

create function tenancy.switch_tenant(token text, tenant uuid, at timestamptz default now()) returns text[]
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    acting_user constant uuid := tenancy.require_user(token, at);
    granted text[];
begin
    select t.roles into granted from tenancy.list_tenants(acting_user) t where t.tenant_id = tenant;
    if not found then
        raise exception 'user % does not belong to tenant %', acting_user, tenant
            using errcode = 'insufficient_privilege';
    end if;
    perform lab.enter_tenant(tenant, acting_user);
    return granted;
end
$$;
comment on function tenancy.switch_tenant(text, uuid, timestamptz) is
    'lab_auth: puts a tenant of the session''s user in context, until the end of the transaction; returns the user''s roles there. Raises 28000 for a session that is no more, 42501 for a tenant that is not theirs or was deleted.';

-- One user, several tenants: each is entered in turn, so that row level security holds in each.
create function tenancy.overview(tenants uuid[], acting_user uuid)
    returns table (tenant_id uuid, name text, status text, roles text[], members bigint, campaigns bigint, running bigint)
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    tenant uuid;
begin
    foreach tenant in array tenants loop
        perform lab.enter_tenant(tenant, acting_user);
        return query
            select t.id, t.name, t.status, m.roles,
                   (select count(*) from users.tenant_users o where o.tenant_id = tenant and o.deleted is null),
                   (select count(*) from campaigns.campaigns c where c.tenant_id = tenant),
                   (select count(*) from campaigns.campaigns c where c.tenant_id = tenant and c.status = 'running')
            from public.tenants t
            join users.tenant_users m on m.tenant_id = t.id
            where t.id = tenant and t.status <> 'deleted'
              and m.tenant_id = tenant and m.user_id = acting_user and m.deleted is null;
        if not found then
            raise exception 'user % does not belong to tenant %', acting_user, tenant
                using errcode = 'insufficient_privilege';
        end if;
    end loop;
    perform lab.enter_tenant(null, acting_user);
end
$$;
comment on function tenancy.overview(uuid[], uuid) is
    'lab_app: several tenants of one user, as tenancy.list_tenants gives them, each read in its own context. Raises 42501 for one that is not theirs. Leaves the user in context, and no tenant.';

revoke execute on all functions in schema tenancy from public;
grant execute on function
    tenancy.create_user(text, text),
    tenancy.issue_verification(text, text, interval, timestamptz), tenancy.verify_address(text, text, timestamptz),
    tenancy.open_session(uuid, text, interval, timestamptz), tenancy.close_session(text), tenancy.close_sessions(uuid),
    tenancy.user_of_session(text, timestamptz), tenancy.require_user(text, timestamptz), tenancy.list_tenants(uuid), tenancy.switch_tenant(text, uuid, timestamptz)
    to lab_auth;
grant execute on function tenancy.expire_log_ins(timestamptz) to lab_platform;
grant execute on function tenancy.overview(uuid[], uuid) to lab_app;
