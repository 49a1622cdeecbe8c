-- Bodies of mails by their storage key, and who refers to them. A body never changes: what is new gets
-- a key of its own. The OLTP database decides what may go; what it said is only noted here.

create schema content;

create table content.objects (
    tenant_id   uuid not null,
    storage_key text not null,
    state       text not null default 'pending',
    sha256      bytea not null,
    size        bigint not null,
    media_type  text not null,
    body        bytea not null,
    lease_until timestamptz,
    created_at  timestamptz not null default now(),
    changed_at  timestamptz not null default now(),
    constraint objects_pkey primary key (tenant_id, storage_key),
    constraint objects_state_check check (state in ('pending', 'live', 'deleting')),
    constraint objects_lease_check check ((state = 'pending') = (lease_until is not null)),
    constraint objects_size_check check (size = octet_length(body)),
    constraint objects_sha256_check check (sha256 = pg_catalog.sha256(body)),
    constraint objects_storage_key_check check (storage_key <> '')
);
create index objects_pending_idx on content.objects (lease_until) where state = 'pending';
create index objects_deleting_idx on content.objects (changed_at) where state = 'deleting';
comment on table content.objects is 'What mails say: pending until the OLTP is known to refer to it, then live; deleting for a while before it goes.';
comment on column content.objects.lease_until is 'Until when whoever put it may still refer to it; of pending ones.';
comment on column content.objects.changed_at is 'When it came into its state; removal waits for so long from there.';

create table content.uses (
    tenant_id    uuid not null,
    storage_key  text not null,
    version_id   uuid not null,
    confirmed_at timestamptz not null default now(),
    constraint uses_pkey primary key (tenant_id, storage_key, version_id),
    -- What is noted as used cannot be removed here either.
    constraint uses_object_fkey foreign key (tenant_id, storage_key) references content.objects (tenant_id, storage_key)
);
comment on table content.uses is 'Template versions of the OLTP that are known to refer to an object.';
