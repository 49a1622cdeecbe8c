-- name: targets
-- Every table that is not shared: what it calls its tenant, and what one may write to it.
select n.nspname as schema, c.relname as name,
       case when c.oid = 'public.tenants'::regclass then 'id'
            else (select a.attname from pg_attribute a
                  where a.attrelid = c.oid and a.attname in ('tenant_id', 'owner_tenant_id')
                    and not a.attisdropped) end as tenant,
       (select array_agg(a.attname::text order by a.attnum) from pg_attribute a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '') as columns,
       array(select distinct a.attname::text from pg_index i
             join pg_attribute a on a.attrelid = c.oid and a.attnum = any (i.indkey)
             where i.indrelid = c.oid and i.indisunique
               and a.atttypid in ('integer'::regtype, 'bigint'::regtype)) as numbers,
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
        where a.attrelid = k.conrelid and a.attnum = any (k.conkey) and a.attname <> 'tenant_id') as columns,
       (select bool_and(has_column_privilege('lab_app', k.conrelid, a.attnum, 'update')) from pg_attribute a
        where a.attrelid = k.conrelid and a.attnum = any (k.conkey) and a.attname <> 'tenant_id') as updatable
from pg_constraint k
join pg_class c on c.oid = k.conrelid
join pg_namespace n on n.oid = c.relnamespace
where k.contype = 'f' and k.conparentid = 0
  and exists (select from pg_attribute a where a.attrelid = k.conrelid and a.attname = 'tenant_id')
  and exists (select from pg_attribute a
              where a.attrelid = k.conrelid and a.attnum = any (k.conkey) and a.attname <> 'tenant_id')
order by 1;

-- name: pair
-- Two tenants that have rows in the table. The attacker's is active if one is: suspension would refuse
-- what the policy under attack has to refuse.
with present as (
    select distinct {tenant} as tenant_id from {table} where {tenant} is not null
), own as (
    select p.tenant_id from present p
    left join public.tenants t on t.id = p.tenant_id
    order by coalesce(t.status = 'active', false) desc, p.tenant_id
    limit 1
)
select own.tenant_id,
       (select p.tenant_id from present p where p.tenant_id <> own.tenant_id order by p.tenant_id desc limit 1)
from own;

-- name: row
select to_jsonb(t) from {table} t where {tenant} = %s limit 1;

-- name: referring_row
-- A row of another tenant that refers to something.
select to_jsonb(t) from {table} t where {tenant} <> %s and ({reference}) is not null limit 1;

-- name: any_row
select to_jsonb(t) from {table} t limit 1;

-- name: shared
-- Every shared table, and why it should not be one: somebody not listed may write it, or it holds
-- what belongs to somebody.
select format('%s.%s', n.nspname, c.relname) as table_name,
       array_remove(array_agg(problem.told), null) as problems
from lab.shared_tables s
join pg_class c on c.oid = s.table_name
join pg_namespace n on n.oid = c.relnamespace
left join lateral (
    select format('%s may %s without being listed in lab.shared_tables', r.rolname, p.privilege) as told
    from pg_roles r
    cross join (values ('insert'), ('update'), ('delete'), ('truncate')) as p (privilege)
    where r.rolname in ('lab_app', 'lab_auth', 'lab_platform', 'lab_analytics')
      and case when p.privilege in ('insert', 'update') then has_any_column_privilege(r.oid, c.oid, p.privilege)
               else has_table_privilege(r.oid, c.oid, p.privilege) end
      and not (r.rolname = any (s.writers) and p.privilege <> 'truncate')
    union all
    select format('its column %s says whose a row is, so it needs row level security', a.attname)
    from pg_attribute a
    where a.attrelid = c.oid and a.attname in ('tenant_id', 'owner_tenant_id', 'user_id', 'email')
      and not a.attisdropped
    union all
    select 'who the tenants are is no shared matter' where n.nspname in ('public', 'users', 'auth')
) as problem on true
group by n.nspname, c.relname
order by 1;
