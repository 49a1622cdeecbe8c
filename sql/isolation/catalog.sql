-- name: targets
-- Every table that is not shared: what it calls its tenant, and what one may write to it.
select n.nspname as schema, c.relname as name,
       case when c.oid = 'public.tenants'::regclass then 'id'
            else (select a.attname from pg_attribute a
                  where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped) end as tenant,
       (select array_agg(a.attname::text order by a.attnum) from pg_attribute a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '') as columns,
       c.relrowsecurity as enabled,
       c.relforcerowsecurity as forced,
       exists (select from pg_policy p where p.polrelid = c.oid) as has_policy
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p')
  and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^scratch_'
  and c.oid not in (select table_name from lab.shared_tables)
  and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
order by 1, 2;

-- name: foreign_keys
-- Columns that refer to another row of a tenant, the tenant's own column left out.
select k.conname::text as name, n.nspname as schema, c.relname as table_name,
       (select array_agg(a.attname::text order by a.attnum) from pg_attribute a
        where a.attrelid = k.conrelid and a.attnum = any (k.conkey) and a.attname <> 'tenant_id') as columns
from pg_constraint k
join pg_class c on c.oid = k.conrelid
join pg_namespace n on n.oid = c.relnamespace
where k.contype = 'f' and k.conparentid = 0
  and exists (select from pg_attribute a where a.attrelid = k.conrelid and a.attname = 'tenant_id')
  and exists (select from pg_attribute a
              where a.attrelid = k.conrelid and a.attnum = any (k.conkey) and a.attname <> 'tenant_id')
order by 1;

-- name: pair
-- Two tenants that have rows in the table, off both ends of its key.
select (select {tenant} from {table} order by {tenant} limit 1) as own,
       (select {tenant} from {table} order by {tenant} desc limit 1) as victim;

-- name: row
select to_jsonb(t) from {table} t where {tenant} = %s limit 1;

-- name: any_row
select to_jsonb(t) from {table} t limit 1;

-- name: unlisted_writers
-- Who may write a shared table without being listed as its writer.
select s.table_name::text as table_name, r.rolname::text as role, p.privilege
from lab.shared_tables s
join pg_class c on c.oid = s.table_name
cross join (values ('insert'), ('update'), ('delete'), ('truncate')) as p (privilege)
join pg_roles r on r.rolname in ('lab_app', 'lab_auth', 'lab_platform', 'lab_analytics')
where has_table_privilege(r.oid, c.oid, p.privilege)
  and not (r.rolname = any (s.writers) and p.privilege <> 'truncate');
