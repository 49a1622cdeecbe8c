-- What the layers nile and tables may not contain, so that they are valid on Nile and on Citus. Each
-- query returns what breaks its rule, read from the catalog of a database with these two alone.

-- name: no_functions_but_niles_own
select p.oid::regprocedure::text
from pg_proc p join pg_namespace n on n.oid = p.pronamespace
where n.nspname not in ('pg_catalog', 'information_schema') and p.proname <> 'uuid_generate_v7';

-- name: no_triggers
select tgname::text from pg_trigger where not tgisinternal;

-- name: no_policies
select polname::text from pg_policy;

-- name: no_sequences
select c.oid::regclass::text from pg_class c where c.relkind = 'S';

-- name: constraints_start_with_the_tenant
select k.conname::text
from pg_constraint k
join pg_attribute tenant on tenant.attrelid = k.conrelid and tenant.attname = 'tenant_id'
where k.contype in ('p', 'u', 'f', 'x') and k.conkey[1] <> tenant.attnum;

-- name: unique_indexes_start_with_the_tenant
select i.indexrelid::regclass::text
from pg_index i
join pg_attribute tenant on tenant.attrelid = i.indrelid and tenant.attname = 'tenant_id'
where i.indisunique and i.indkey[0] <> tenant.attnum;

-- name: tenant_tables_refer_to_tenant_tables
select k.conname::text
from pg_constraint k
join pg_attribute tenant on tenant.attrelid = k.conrelid and tenant.attname = 'tenant_id'
where k.contype = 'f' and k.confrelid <> 'public.tenants'::regclass
  and not exists (select from pg_attribute a where a.attrelid = k.confrelid and a.attname = 'tenant_id');

-- name: no_foreign_key_sets_null
select conname::text from pg_constraint where contype = 'f' and confdeltype = 'n';

-- name: no_unlogged_tables
select c.oid::regclass::text from pg_class c where c.relkind in ('r', 'p') and c.relpersistence <> 'p';
