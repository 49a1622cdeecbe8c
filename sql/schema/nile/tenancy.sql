-- What every Nile database has from the start, as Nile documents it; made here on plain PostgreSQL.
-- Its times are in UTC, without saying so:
-- squawk-ignore-file prefer-timestamp-tz

create schema users;
create schema auth;

-- RFC 9562, version 7: 48 bits of Unix milliseconds, then random bits.
create function public.uuid_generate_v7() returns uuid
    language sql volatile parallel safe
    return encode(
        set_bit(set_bit(
            overlay(uuid_send(gen_random_uuid())
                    placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3)
                    from 1 for 6),
            52, 1), 53, 1),
        'hex')::uuid;
comment on function public.uuid_generate_v7() is 'A time-ordered key (RFC 9562, version 7).';

create table public.tenants (
    id      uuid not null default public.uuid_generate_v7(),
    name    text,
    created timestamp not null default localtimestamp,
    updated timestamp not null default localtimestamp,
    deleted timestamp,
    constraint tenants_pkey primary key (id)
);
comment on table public.tenants is 'The customers of the platform; every tenant table refers to one of them.';
comment on column public.tenants.id is 'Key of the tenant, the tenant_id of every other table.';
comment on column public.tenants.name is 'Name the tenant chose.';
comment on column public.tenants.created is 'When the tenant was created (UTC).';
comment on column public.tenants.updated is 'When the row last changed (UTC).';
comment on column public.tenants.deleted is 'When the tenant was marked deleted (UTC); null while it lives.';

create table users.users (
    id             uuid not null default public.uuid_generate_v7(),
    created        timestamp not null default localtimestamp,
    updated        timestamp not null default localtimestamp,
    deleted        timestamp,
    name           text,
    family_name    text,
    given_name     text,
    email          text,
    picture        text,
    email_verified timestamp,
    constraint users_pkey primary key (id)
);
create unique index users_email_key on users.users (email) where deleted is null;
comment on index users.users_email_key is 'tenancy.create_user and tenancy.verify_address: a living user by email.';
comment on table users.users is 'People, across tenants; what ties them to tenants is users.tenant_users.';
comment on column users.users.id is 'Key of the user.';
comment on column users.users.created is 'When the user signed up (UTC).';
comment on column users.users.updated is 'When the row last changed (UTC).';
comment on column users.users.deleted is 'When the user was removed (UTC); null while they live.';
comment on column users.users.name is 'Display name.';
comment on column users.users.family_name is 'Family name.';
comment on column users.users.given_name is 'Given name.';
comment on column users.users.email is 'Email address, unique among living users.';
comment on column users.users.picture is 'URL of a picture.';
comment on column users.users.email_verified is 'When the address was verified (UTC); null until then.';

create table users.tenant_users (
    tenant_id uuid not null,
    user_id   uuid not null,
    created   timestamp not null default localtimestamp,
    updated   timestamp not null default localtimestamp,
    deleted   timestamp,
    roles     text[],
    email     text,
    constraint tenant_users_pkey primary key (tenant_id, user_id),
    constraint tenant_users_tenant_fkey foreign key (tenant_id) references public.tenants (id)
);
create index tenant_users_user_idx on users.tenant_users (user_id);
comment on index users.tenant_users_user_idx is 'tenancy.list_tenants.';
comment on table users.tenant_users is 'Which user belongs to which tenant, and with which roles.';
comment on column users.tenant_users.tenant_id is 'The tenant.';
comment on column users.tenant_users.user_id is 'The user; no foreign key, since Nile allows none to a shared table.';
comment on column users.tenant_users.created is 'When the user joined (UTC).';
comment on column users.tenant_users.updated is 'When the row last changed (UTC).';
comment on column users.tenant_users.deleted is 'When the membership ended (UTC); null while it lasts.';
comment on column users.tenant_users.roles is 'Roles of the user in this tenant.';
comment on column users.tenant_users.email is 'Address the user goes by in this tenant.';

create table auth.credentials (
    id                  uuid not null default public.uuid_generate_v7(),
    user_id             uuid not null,
    method              text not null,
    provider            text not null,
    payload             jsonb not null default '{}',
    provider_account_id text,
    constraint credentials_pkey primary key (id),
    constraint credentials_user_fkey foreign key (user_id) references users.users (id)
);
create index credentials_user_idx on auth.credentials (user_id);
comment on index auth.credentials_user_idx is 'Log-in finds the credentials of a user; the foreign key to users.';
comment on table auth.credentials is 'How a user proves who they are.';
comment on column auth.credentials.id is 'Key of the credential.';
comment on column auth.credentials.user_id is 'The user it belongs to.';
comment on column auth.credentials.method is 'Kind of proof, such as EMAIL_PASSWORD.';
comment on column auth.credentials.provider is 'Who checks it, such as nile.';
comment on column auth.credentials.payload is 'What the check needs; for passwords a hash, never the password.';
comment on column auth.credentials.provider_account_id is 'The user''s id at the provider.';

create table auth.sessions (
    id            uuid not null default public.uuid_generate_v7(),
    expires_at    timestamptz not null,
    session_token text not null,
    user_id       uuid not null,
    constraint sessions_pkey primary key (id),
    constraint sessions_token_key unique (session_token),
    constraint sessions_user_fkey foreign key (user_id) references users.users (id)
);
create index sessions_user_idx on auth.sessions (user_id);
comment on index auth.sessions_user_idx is 'tenancy.close_sessions; the foreign key to users.';
comment on table auth.sessions is 'Log-ins that last.';
comment on column auth.sessions.id is 'Key of the session.';
comment on column auth.sessions.expires_at is 'When the session ends.';
comment on column auth.sessions.session_token is 'Secret the client shows.';
comment on column auth.sessions.user_id is 'Who is logged in.';

create table auth.verification_tokens (
    identifier text not null,
    token      text not null,
    expires    timestamptz not null,
    constraint verification_tokens_pkey primary key (identifier, token)
);
comment on table auth.verification_tokens is 'One-time proofs that an address belongs to somebody.';
comment on column auth.verification_tokens.identifier is 'Address to verify.';
comment on column auth.verification_tokens.token is 'Secret that was mailed.';
comment on column auth.verification_tokens.expires is 'When the token stops being accepted.';

create table auth.invites (
    tenant_id  uuid not null,
    id         uuid not null default public.uuid_generate_v7(),
    identifier text not null,
    token      text not null,
    roles      text[],
    created_by uuid not null,
    expires    timestamptz not null default now() + interval '7 days',
    constraint invites_pkey primary key (tenant_id, id),
    constraint invites_identifier_key unique (tenant_id, identifier),
    constraint invites_tenant_fkey foreign key (tenant_id) references public.tenants (id)
);
comment on table auth.invites is 'Invitations to join a tenant; at most one for each address.';
comment on column auth.invites.tenant_id is 'The inviting tenant.';
comment on column auth.invites.id is 'Key of the invite.';
comment on column auth.invites.identifier is 'Address that is invited.';
comment on column auth.invites.token is 'Secret that was mailed.';
comment on column auth.invites.roles is 'Roles the new member gets.';
comment on column auth.invites.created_by is 'User who invited.';
comment on column auth.invites.expires is 'When the invite stops being accepted.';
