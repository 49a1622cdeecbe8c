-- Reference against duplicate: the same saves, with the body in the OLTP's row as well or not.

-- name: setup
create table campaigns.body_copies (
    tenant_id   uuid not null,
    version_id  uuid not null,
    storage_key text not null,
    body        bytea not null,
    primary key (tenant_id, version_id)
);
-- As random as a compressed body.
alter table campaigns.body_copies alter column body set storage external;
grant select, insert, update, delete on campaigns.body_copies to lab_app;
alter table campaigns.body_copies enable row level security;
alter table campaigns.body_copies force row level security;
create policy tenant on campaigns.body_copies to lab_app
    using (tenant_id = nullif(current_setting('nile.tenant_id', true), '')::uuid);

-- name: copy
insert into campaigns.body_copies (tenant_id, version_id, storage_key, body) values (%(tenant)s, %(version)s, %(key)s, %(body)s);

-- name: read_copy
select body from campaigns.body_copies where tenant_id = %(tenant)s and version_id = %(version)s;

-- name: key_of
select storage_key from campaigns.template_versions where tenant_id = %(tenant)s and id = %(version)s;

-- name: scrub
delete from campaigns.body_copies where tenant_id = %(tenant)s and storage_key = any (%(keys)s);

-- name: wal
select pg_current_wal_insert_lsn() - '0/0';

-- name: size
select (coalesce(sum(pg_total_relation_size(c.oid)), 0))::bigint
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = 'campaigns' and c.relname in ('body_copies', 'template_versions', 'contents') and c.relkind = 'r';
