-- What neighbouring systems read of deletions, and what is left of purged tenants.

create schema integration;

create table integration.tombstones (
    tenant_id  uuid not null,
    id         uuid not null default public.uuid_generate_v7(),
    table_name text not null,
    row_id     uuid not null,
    deleted_at timestamptz not null default now(),
    change_xid bigint,
    constraint tombstones_pkey primary key (tenant_id, id)
);
comment on table integration.tombstones is 'Rows deleted from mirrored tables. They outlive their tenant, so there is no foreign key.';
comment on column integration.tombstones.tenant_id is 'The tenant the row belonged to; of a platform table''s row its own key.';
comment on column integration.tombstones.id is 'Key of the tombstone.';
comment on column integration.tombstones.table_name is 'Table it was deleted from, schema.name.';
comment on column integration.tombstones.row_id is 'Key the row had beside its tenant.';
comment on column integration.tombstones.deleted_at is 'When the deleting transaction began.';
comment on column integration.tombstones.change_xid is 'Transaction that deleted the row.';

create table integration.purge_receipts (
    tenant_id   uuid not null,
    table_name  text not null,
    position    integer not null,
    removed     bigint not null default 0,
    released    bigint not null default 0,
    began_at    timestamptz not null default now(),
    finished_at timestamptz,
    constraint purge_receipts_pkey primary key (tenant_id, table_name),
    constraint purge_receipts_counts_check check (removed >= 0 and released >= 0)
);
comment on table integration.purge_receipts is 'What a purge removed of a tenant and what it has yet to remove, a row a table. Receipts outlive their tenant, so there is no foreign key.';
comment on column integration.purge_receipts.tenant_id is 'The tenant that was purged.';
comment on column integration.purge_receipts.table_name is 'Table it had rows in, schema.name.';
comment on column integration.purge_receipts.position is 'The order of the tables: those that refer to others come before them.';
comment on column integration.purge_receipts.removed is 'How many rows were removed so far.';
comment on column integration.purge_receipts.released is 'How many rows of the platform lost their owner and stayed.';
comment on column integration.purge_receipts.began_at is 'When the purge began.';
comment on column integration.purge_receipts.finished_at is 'When the table was found empty of the tenant; null while it has to be looked at.';
