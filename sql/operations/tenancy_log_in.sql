-- Signing up and logging in with a password. Passwords and secrets never come here: hashes of passwords
-- are made and compared by the caller, with no transaction open, and of session tokens and invites, which
-- are random, the caller passes a digest for the token. So neither can be read from here, nor from a log.

create function tenancy.sign_up(
    address text, password_hash text, display_name text default null, tenant_name text default null,
    out new_user uuid, out new_tenant uuid)
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    new_user := tenancy.create_user(address, display_name);
    insert into auth.credentials (user_id, method, provider, payload)
    values (new_user, 'EMAIL_PASSWORD', 'nile', jsonb_build_object('hash', password_hash));
    if tenant_name is not null then
        new_tenant := tenancy.create_tenant(tenant_name, new_user);
    end if;
end
$$;
comment on function tenancy.sign_up(text, text, text, text) is
    'lab_auth: a user with a password and, if it is named, the tenant that they own; all of it or nothing. Raises as tenancy.create_user.';

-- Counted before the password is looked at: however many attempts are made at once, no more than allowed
-- get to a comparison. Who is refused does not lengthen the time.
create function tenancy.begin_log_in(
    address text, allowed integer default 5, lasts interval default '15 minutes', at timestamptz default now(),
    out acting_user uuid, out password_hash text)
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    insert into auth.log_in_attempts as made (identifier, attempts, since)
    values (left(lower(btrim(address)), 254), 1, at)
    on conflict (identifier) do update
    set attempts = case when made.since + lasts <= at then 1 else made.attempts + 1 end,
        since = case when made.since + lasts <= at then at else made.since end
    where made.since + lasts <= at or made.attempts < allowed;
    if not found then
        raise exception 'there were % attempts to log in: wait', allowed using errcode = 'program_limit_exceeded';
    end if;
    select u.id, c.payload ->> 'hash' into acting_user, password_hash
    from users.users u
    join auth.credentials c on c.user_id = u.id and c.method = 'EMAIL_PASSWORD'
    where u.email = lower(btrim(address)) and u.deleted is null;
end
$$;
comment on function tenancy.begin_log_in(text, integer, interval, timestamptz) is
    'lab_auth: counts an attempt to log in, and returns whose address it is and the hash of their password; nulls where there is none. Raises 54000 after the attempts that are allowed in a time, for unknown addresses too. To be committed before the password is compared.';

create function tenancy.complete_log_in(
    acting_user uuid, verified_hash text, token text, renewed_hash text default null,
    lasts interval default '30 days', at timestamptz default now()) returns uuid
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    -- Who changes the password meanwhile ends the sessions that were there before.
    update auth.credentials c
    set payload = c.payload || jsonb_build_object('hash', coalesce(renewed_hash, verified_hash))
    where c.user_id = acting_user and c.method = 'EMAIL_PASSWORD' and c.payload ->> 'hash' = verified_hash;
    if not found then
        raise exception 'the password has changed' using errcode = 'invalid_password';
    end if;
    delete from auth.log_in_attempts a
    using users.users u
    where u.id = acting_user and a.identifier = left(u.email, 254);
    return tenancy.open_session(acting_user, token, lasts, at);
end
$$;
comment on function tenancy.complete_log_in(uuid, text, text, text, interval, timestamptz) is
    'lab_auth: opens a session for who knew the password of this hash, which another hash of it may replace. Raises 28P01 when the password has changed since, and as tenancy.open_session.';

create function tenancy.change_password(
    token text, verified_hash text, new_hash text, at timestamptz default now()) returns bigint
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    acting_user constant uuid := tenancy.require_user(token, at);
    ended bigint;
begin
    update auth.credentials c
    set payload = c.payload || jsonb_build_object('hash', new_hash)
    where c.user_id = acting_user and c.method = 'EMAIL_PASSWORD' and c.payload ->> 'hash' = verified_hash;
    if not found then
        raise exception 'the password has changed' using errcode = 'invalid_password';
    end if;
    delete from auth.log_in_attempts a
    using users.users u
    where u.id = acting_user and a.identifier = left(u.email, 254);
    delete from auth.sessions s where s.user_id = acting_user and s.session_token <> token;
    get diagnostics ended = row_count;
    return ended;
end
$$;
comment on function tenancy.change_password(text, text, text, timestamptz) is
    'lab_auth: the user of a session, who knew the password of the first hash, takes another; their other sessions end, and it returns how many. Raises 28000 for a session that is no more, 28P01 when the password has changed since.';

revoke execute on all functions in schema tenancy from public;
grant execute on function
    tenancy.sign_up(text, text, text, text), tenancy.begin_log_in(text, integer, interval, timestamptz),
    tenancy.complete_log_in(uuid, text, text, text, interval, timestamptz),
    tenancy.change_password(text, text, text, timestamptz)
    to lab_auth;
