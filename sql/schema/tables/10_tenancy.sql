-- What the platform adds to Nile's own tables.

alter table public.tenants
    add column status       text not null default 'created',
    add column suspended_at timestamptz,
    add column change_xid   bigint,
    add constraint tenants_status_check check (status in ('created', 'active', 'suspended', 'deleted')),
    add constraint tenants_deleted_check check ((status = 'deleted') = (deleted is not null));
comment on column public.tenants.status is 'Lifecycle: created, active, suspended (reads only) or deleted (marked, awaiting purge).';
comment on column public.tenants.suspended_at is 'When the tenant was suspended; null unless it is.';
comment on column public.tenants.change_xid is 'Transaction that last inserted or updated the row.';

create table auth.log_in_attempts (
    identifier text not null,
    attempts   integer not null,
    since      timestamptz not null,
    constraint log_in_attempts_pkey primary key (identifier),
    constraint log_in_attempts_attempts_check check (attempts > 0)
);
comment on table auth.log_in_attempts is 'Attempts to log in that have not succeeded, by the address that was given, whether or not a user has it.';
comment on column auth.log_in_attempts.identifier is 'Address that was given, of at most 254 characters.';
comment on column auth.log_in_attempts.attempts is 'Attempts since then.';
comment on column auth.log_in_attempts.since is 'When the first of them was made.';
