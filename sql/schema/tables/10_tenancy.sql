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
