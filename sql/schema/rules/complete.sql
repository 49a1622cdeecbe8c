-- What must hold of the whole schema. Each query returns what breaks its rule.

-- name: tables_are_forced_or_shared
select c.oid::regclass::text
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname not in ('pg_catalog', 'information_schema') and c.relkind in ('r', 'p')
  and not (c.relrowsecurity and c.relforcerowsecurity)
  and c.oid not in (select table_name from lab.shared_tables);

-- name: no_role_bypasses
select rolname::text from pg_roles where rolname like 'lab\_%' and (rolsuper or rolbypassrls);

-- name: indexes_are_explained
select i.indexrelid::regclass::text
from pg_index i
join pg_class c on c.oid = i.indexrelid
join pg_namespace n on n.oid = c.relnamespace
where n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
  and not exists (select from pg_constraint k where k.conindid = c.oid)
  -- It names the operation whose plan uses it, or what else does.
  and not exists (
      select from (
          select p.proname::text from pg_proc p join pg_namespace o on o.oid = p.pronamespace
          where o.nspname in ('tenancy', 'infrastructure', 'campaigns', 'billing', 'configuration', 'integration')
          union all select 'foreign key' union all select 'Incremental extraction') as user_of (name)
      where obj_description(c.oid, 'pg_class') ~ ('\m' || user_of.name || '\M'));

-- name: foreign_keys_are_indexed
select k.conname::text
from pg_constraint k
where k.contype = 'f'
  and not exists (
      select from pg_index i
      where i.indrelid = k.conrelid
        and (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey);

-- name: operations_say_who_calls_them
select p.oid::regprocedure::text
from pg_proc p join pg_namespace n on n.oid = p.pronamespace
where n.nspname in ('tenancy', 'infrastructure', 'campaigns', 'billing', 'configuration', 'integration')
  and coalesce(obj_description(p.oid, 'pg_proc'), '') !~ '^lab_(app|auth|platform): ';

-- name: operations_are_called_by_who_they_say
-- Nobody but who is named and granted: not everybody, by default.
select p.oid::regprocedure::text
from pg_proc p
join pg_namespace n on n.oid = p.pronamespace
cross join split_part(obj_description(p.oid, 'pg_proc'), ':', 1) as caller (name)
where n.nspname in ('tenancy', 'infrastructure', 'campaigns', 'billing', 'configuration', 'integration')
  and (not exists (select from pg_roles r where r.rolname = caller.name
                   and has_schema_privilege(r.oid, n.oid, 'usage')
                   and has_function_privilege(r.oid, p.oid, 'execute'))
       or exists (select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as granted
                  where granted.grantee = 0));
