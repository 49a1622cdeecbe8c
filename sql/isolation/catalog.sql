-- name: shared_tables
-- Tables that are nobody's in particular.
select coalesce(array_agg(table_name::oid), '{}') from lab.shared_tables;

-- name: targets
-- What there is to attack: every table and view with a tenant, and (%(all)s) those without that are not
-- shared either.
select c.oid::int8 as oid, n.nspname as schema, c.relname as name, c.relkind in ('r', 'p') as stored,
       t.tenant,
       (select a.atttypid::regtype::text from pg_attribute a
        where a.attrelid = c.oid and a.attname = t.tenant) as tenant_type,
       (select array_agg(a.attname::text order by a.attnum) from pg_attribute a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '') as columns,
       array(select distinct a.attname::text from pg_index i
             join pg_attribute a on a.attrelid = c.oid and a.attnum = any (i.indkey)
             where i.indrelid = c.oid and i.indisunique
               and a.atttypid in ('integer'::regtype, 'bigint'::regtype)) as numbers,
       array(select distinct a.attname::text from pg_index i
             join pg_attribute a on a.attrelid = c.oid and a.atttypid = 'text'::regtype and a.attgenerated = ''
             where i.indrelid = c.oid and i.indisunique and not a.attname = any (%(tenant_columns)s)
               and not exists (select from pg_constraint k  -- one word out of a list
                               where k.conrelid = c.oid and k.contype = 'c' and k.conkey = array[a.attnum]
                                 and pg_get_constraintdef(k.oid) ~ 'ANY \(')
               and (a.attnum = any (i.indkey)
                    or exists (select from pg_attrdef e
                               join pg_depend d on d.classid = 'pg_attrdef'::regclass and d.objid = e.oid
                               where e.adrelid = c.oid and e.adnum = any (i.indkey)
                                 and d.refobjid = c.oid and d.refobjsubid = a.attnum))) as words,
       (select array_agg(a.attname::text order by a.attnum) from pg_index i
        join pg_attribute a on a.attrelid = c.oid and a.attnum = any (i.indkey)
        where i.indrelid = c.oid and i.indisprimary) as primary_key
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
cross join lateral (
    select coalesce(%(tenants_by_table)s::jsonb ->> format('%%s.%%s', n.nspname, c.relname),
                    (select a.attname::text from pg_attribute a
                     where a.attrelid = c.oid and a.attname = any (%(tenant_columns)s) and not a.attisdropped
                     order by a.attnum limit 1)) as tenant) as t
where c.relkind in ('r', 'p', 'v', 'm', 'f')
  and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^(scratch_|pg_)'
  and c.oid <> all (%(shared)s::oid[])
  and (t.tenant is not null or %(all)s)
  and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
order by 2, 3;

-- name: columns
-- What of a table a role may write, tenant's column and generated ones included.
select c.oid::int8 as oid,
       array(select a.attname::text from pg_attribute a
             where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
               and has_column_privilege(%(role)s, c.oid, a.attnum, 'insert') order by a.attnum) as insertable,
       array(select a.attname::text from pg_attribute a
             where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
               and has_column_privilege(%(role)s, c.oid, a.attnum, 'update') order by a.attnum) as updatable,
       has_any_column_privilege(%(role)s, c.oid, 'select') as readable,
       has_table_privilege(%(role)s, c.oid, 'delete') as deletable
from pg_class c
where c.oid = any (%(targets)s::oid[]);

-- name: foreign_keys
-- Columns that refer to another row of a tenant, the tenant's own column left out.
select k.conrelid::int8 as oid, k.conname::text as name,
       array_agg(a.attname::text order by a.attnum) as columns
from pg_constraint k
join pg_attribute a on a.attrelid = k.conrelid and a.attnum = any (k.conkey) and a.attname <> all (%(tenant_columns)s)
where k.contype = 'f' and k.conparentid = 0 and k.conrelid = any (%(targets)s::oid[])
group by k.oid, k.conrelid, k.conname
order by k.conname;

-- name: guessable_keys
-- Unique and exclusion constraints and indexes that do not tell tenants apart, and are more than uuids.
select i.indrelid::int8 as oid, x.relname::text as name,
       array_agg(a.attname::text order by a.attnum) as columns
from pg_index i
join pg_class x on x.oid = i.indexrelid
join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
where (i.indisunique or i.indisexclusion) and i.indrelid = any (%(targets)s::oid[])
group by i.indrelid, x.relname
having bool_and(a.attname <> all (%(tenant_columns)s)) and bool_or(a.atttypid <> 'uuid'::regtype)
order by x.relname;

-- name: other_settings
-- Parameters that policies ask for beside the tenant's, in themselves or through a function they call.
select distinct found[1] as name
from (
    select pg_get_expr(p.polqual, p.polrelid) || coalesce(pg_get_expr(p.polwithcheck, p.polrelid), '') as text
    from pg_policy p
    union all
    select f.prosrc from pg_policy p
    join pg_depend d on d.classid = 'pg_policy'::regclass and d.objid = p.oid and d.refclassid = 'pg_proc'::regclass
    join pg_proc f on f.oid = d.refobjid
    join pg_language l on l.oid = f.prolang
    where l.lanname in ('sql', 'plpgsql')
) as source
cross join lateral regexp_matches(source.text, 'current_setting\(\s*''([a-z_]+\.[a-z_.]+)''', 'gi') as found
where found[1] <> %(setting)s
order by 1;

-- name: first_tenant
select min(x.{tenant}::text) from {table} x where x.{tenant} is not null;

-- name: last_tenant
select max(x.{tenant}::text) from {table} x where x.{tenant} is not null;

-- name: active_tenant
-- The youngest active tenant that has rows: suspension would refuse what the policy has to refuse.
select t.id::text from public.tenants t
where t.status = 'active' and exists (select from {table} x where x.{tenant} = t.id)
order by t.id desc
limit 1;

-- name: other_tenant
-- The oldest other tenant that has rows.
select t.id::text from public.tenants t
where t.id <> %s and exists (select from {table} x where x.{tenant} = t.id)
order by t.id
limit 1;

-- name: lonely_member
-- An owner of the tenant who belongs to no other, the most that one may be in it.
select m.user_id::text from users.tenant_users m
where m.tenant_id = %s and m.deleted is null
  and not exists (select from users.tenant_users o where o.user_id = m.user_id and o.tenant_id <> m.tenant_id)
order by not 'owner' = any (m.roles), m.user_id
limit 1;

-- name: two_tenants
-- For a table that has none.
select max(t.id::text), min(t.id::text) from public.tenants t where t.status = 'active';

-- name: tenant_in_state
-- If possible one that has rows.
select t.id::text from public.tenants t
where t.status = %s
order by exists (select from {table} x where x.{tenant} = t.id) desc, t.id desc
limit 1;

-- name: row
-- A row as it is, and where it is.
select to_jsonb(t), t.ctid::text from {table} t where t.{tenant} = %s limit 1;

-- name: row_of_view
select to_jsonb(t), '(0,1)' from {table} t where t.{tenant} = %s limit 1;

-- name: any_row
select to_jsonb(t), '(0,1)' from {table} t limit 1;

-- name: referring_row
-- A row of another tenant that refers to something.
select to_jsonb(t) from {table} t where t.{tenant} = %s and ({key}) is not null limit 1;

-- name: own_row_is_visible
select from {table} where {tenant} = {own} limit 1;
