-- The lab's own helpers. No business data lives here.

create table lab.incarnation (
    incarnation uuid not null default gen_random_uuid(),
    renewed_at  timestamptz not null default now(),
    only_row    boolean not null default true,
    constraint incarnation_pkey primary key (only_row),
    constraint incarnation_only_row_check check (only_row)
);
insert into lab.incarnation default values;
comment on table lab.incarnation is 'One row that changes whenever the schema or the sample data is rebuilt; part of every watermark.';
comment on column lab.incarnation.incarnation is 'Random; two databases never share it.';
comment on column lab.incarnation.renewed_at is 'When it was drawn.';
comment on column lab.incarnation.only_row is 'Always true: there is one row.';

create table lab.builds (
    part         text not null,
    content_hash text not null,
    details      jsonb not null default '{}',
    built_at     timestamptz not null default now(),
    constraint builds_pkey primary key (part),
    constraint builds_part_check check (part in ('schema', 'sample_data'))
);
comment on table lab.builds is 'What this database was built from; equal hashes mean there is nothing to do.';
comment on column lab.builds.part is 'schema or sample_data.';
comment on column lab.builds.content_hash is 'Hash of the SQL files it was built from.';
comment on column lab.builds.details is 'Parameters of the build, such as scale and seed.';
comment on column lab.builds.built_at is 'When it was built.';

create table lab.shared_tables (
    table_name regclass not null,
    writers    text[] not null,
    reason     text not null,
    constraint shared_tables_pkey primary key (table_name)
);
comment on table lab.shared_tables is 'Tables that have no tenant and hence no row level security, and who may write them.';
comment on column lab.shared_tables.table_name is 'The table.';
comment on column lab.shared_tables.writers is 'Roles that may insert, update or delete, beside the owner.';
comment on column lab.shared_tables.reason is 'Why it is shared.';

create table lab.transitions (
    table_name  text not null,
    from_status text not null,
    to_status   text not null,
    constraint transitions_pkey primary key (table_name, from_status, to_status)
);
comment on table lab.transitions is 'The state machines: which status may follow which.';
comment on column lab.transitions.table_name is 'Table the status belongs to, schema.name.';
comment on column lab.transitions.from_status is 'Status before.';
comment on column lab.transitions.to_status is 'Status after.';
insert into lab.transitions (table_name, from_status, to_status) values
    ('public.tenants', 'created', 'active'),
    ('public.tenants', 'created', 'deleted'),
    ('public.tenants', 'active', 'suspended'),
    ('public.tenants', 'active', 'deleted'),
    ('public.tenants', 'suspended', 'active'),
    ('public.tenants', 'suspended', 'deleted'),
    -- as listmonk moves its campaigns; a finished one stays finished
    ('campaigns.campaigns', 'draft', 'scheduled'),
    ('campaigns.campaigns', 'draft', 'running'),
    ('campaigns.campaigns', 'scheduled', 'draft'),
    ('campaigns.campaigns', 'scheduled', 'running'),
    ('campaigns.campaigns', 'running', 'paused'),
    ('campaigns.campaigns', 'running', 'finished'),
    ('campaigns.campaigns', 'running', 'cancelled'),
    ('campaigns.campaigns', 'paused', 'scheduled'),
    ('campaigns.campaigns', 'paused', 'running'),
    ('campaigns.campaigns', 'paused', 'cancelled'),
    ('campaigns.enrollments', 'active', 'completed'),
    ('campaigns.enrollments', 'active', 'stopped'),
    ('campaigns.enrollments', 'completed', 'active'),
    -- a lead only moves forward, and out
    ('campaigns.leads', 'new', 'contacted'),
    ('campaigns.leads', 'new', 'engaged'),
    ('campaigns.leads', 'new', 'replied'),
    ('campaigns.leads', 'new', 'unsubscribed'),
    ('campaigns.leads', 'new', 'bounced'),
    ('campaigns.leads', 'new', 'complained'),
    ('campaigns.leads', 'contacted', 'engaged'),
    ('campaigns.leads', 'contacted', 'replied'),
    ('campaigns.leads', 'contacted', 'unsubscribed'),
    ('campaigns.leads', 'contacted', 'bounced'),
    ('campaigns.leads', 'contacted', 'complained'),
    ('campaigns.leads', 'engaged', 'replied'),
    ('campaigns.leads', 'engaged', 'unsubscribed'),
    ('campaigns.leads', 'engaged', 'bounced'),
    ('campaigns.leads', 'engaged', 'complained'),
    ('campaigns.leads', 'replied', 'unsubscribed'),
    ('campaigns.leads', 'replied', 'bounced'),
    ('campaigns.leads', 'replied', 'complained'),
    ('campaigns.templates', 'draft', 'active'),
    ('campaigns.templates', 'active', 'archived'),
    ('campaigns.templates', 'archived', 'active');

insert into lab.shared_tables (table_name, writers, reason) values
    ('lab.incarnation', '{lab_platform}', 'one row about the database'),
    ('lab.builds', '{lab_platform}', 'what the database was built from'),
    ('lab.shared_tables', '{}', 'this list'),
    ('lab.transitions', '{}', 'state machines, the same for everybody');

create function lab.current_tenant() returns uuid
    language sql stable parallel safe
    return nullif(current_setting('nile.tenant_id', true), '')::uuid;
comment on function lab.current_tenant() is 'The tenant in context; null when there is none.';

create function lab.current_user_id() returns uuid
    language sql stable parallel safe
    return nullif(current_setting('nile.user_id', true), '')::uuid;
comment on function lab.current_user_id() is 'The user in context; null when there is none.';
