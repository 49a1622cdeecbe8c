-- What neighbouring systems read: for now, what was deleted.

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
