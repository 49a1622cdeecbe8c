-- name: tables
-- Tables whose rows are a tenant's and that the application reads. A column's kinds are what the
-- grammar may do with it: exact means that equal values look the same (numeric's 1.0 and 1.00 do not).
with described as (
    select split_part(name, '__', 1) as schema, split_part(name, '__', 2) as name
    from unnest(%(described)s::text[]) as name
), columns as (
    select a.attrelid, a.attname::text as name, a.attnum, format_type(a.atttypid, -1) as type,
           array_remove(array[
               'column',
               case when o.opcintype is not null then 'ordered' end,
               case when is_exact then 'exact' end,
               case when is_exact and exists (select from pg_proc p where p.prokind = 'a' and p.proname = 'max'
                                                and p.pronargs = 1 and p.proargtypes[0] = a.atttypid) then 'greatest' end,
               case when base = any ('{smallint,integer,bigint,numeric}'::regtype[]) then 'number' end,
               case when base = any ('{text,varchar}'::regtype[]) then 'text' end,
               case when base = 'boolean'::regtype then 'flag' end,
               case when base = 'jsonb'::regtype then 'jsonb' end,
               case when t.typcategory = 'A' and t.typlen = -1 and o.opcintype is not null then 'array' end], null) as kinds
    from pg_attribute a
    join pg_type t on t.oid = a.atttypid
    cross join lateral (select coalesce(nullif(t.typbasetype, 0), t.oid) as base) as b
    left join lateral (
        select c.opcintype, c.opcfamily from pg_opclass c
        join pg_am m on m.oid = c.opcmethod and m.amname = 'btree'
        where c.opcdefault
          and c.opcintype in (base, case when base = 'varchar'::regtype then 'text'::regtype
                                         when t.typtype = 'e' then 'anyenum'::regtype
                                         when t.typcategory = 'A' then 'anyarray'::regtype
                                         when t.typtype = 'r' then 'anyrange'::regtype end)
        limit 1) as o on true
    left join pg_collation l on l.oid = a.attcollation
    cross join lateral (
        select coalesce(l.collisdeterministic, true) and exists (
            select from pg_amproc p  -- 4: btree's equalimage
            where p.amprocfamily = o.opcfamily and p.amprocnum = 4
              and p.amproclefttype = o.opcintype and p.amprocrighttype = o.opcintype) as is_exact) as e
    where a.attnum > 0 and not a.attisdropped
      and has_column_privilege(%(role)s, a.attrelid, a.attnum, 'select')
      and t.typname !~ '^reg'  -- looks different on another search_path
)
select n.nspname::text as schema, c.relname::text as name, tenant.name as tenant, tenant.type as tenant_type,
       c.relrowsecurity as secured,
       has_table_privilege(%(role)s, c.oid, 'select') as whole,
       jsonb_agg(jsonb_build_object('name', k.name, 'type', k.type, 'kinds', k.kinds) order by k.attnum) as columns,
       array(select a.attname::text from pg_index i
             cross join unnest(i.indkey::int2[]) with ordinality as key (attnum, place)
             join pg_attribute a on a.attrelid = c.oid and a.attnum = key.attnum
             where i.indrelid = c.oid and i.indisprimary order by key.place) as key
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
join columns k on k.attrelid = c.oid
left join described d on d.schema = n.nspname and d.name = c.relname
left join lateral (
    select a.attname::text as name, format_type(a.atttypid, -1) as type from pg_attribute a
    where a.attrelid = c.oid and not a.attisdropped
      and (a.attname = any (%(tenant_columns)s)
           or a.attname = %(tenants_by_table)s ->> (n.nspname || '.' || c.relname))
    order by array_position(%(tenant_columns)s, a.attname::text)
    limit 1) as tenant on true
where c.relkind in ('r', 'p')
  and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^scratch_'
  and has_schema_privilege(%(role)s, n.oid, 'usage')
  and (tenant.name is not null or d.name is not null)
group by n.nspname, c.oid, c.relname, tenant.name, tenant.type, c.relrowsecurity
order by n.nspname, c.relname;

-- name: foreign_keys
select n.nspname::text as schema, c.relname::text as name, fn.nspname::text as other_schema, fc.relname::text as other_name,
       array(select a.attname::text from unnest(k.conkey) with ordinality as key (attnum, place)
             join pg_attribute a on a.attrelid = k.conrelid and a.attnum = key.attnum order by key.place) as columns,
       array(select a.attname::text from unnest(k.confkey) with ordinality as key (attnum, place)
             join pg_attribute a on a.attrelid = k.confrelid and a.attnum = key.attnum order by key.place) as other_columns
from pg_constraint k
join pg_class c on c.oid = k.conrelid
join pg_namespace n on n.oid = c.relnamespace
join pg_class fc on fc.oid = k.confrelid
join pg_namespace fn on fn.oid = fc.relnamespace
where k.contype = 'f' and k.conparentid = 0
order by n.nspname, c.relname, k.conname;

-- name: count
select {number} as table_number, {tenant}::text as tenant, count(*) as rows
from {table} where {tenant} is not null group by 2

-- name: pool
-- The smallest tenants that have rows in each table: a leak shows as well there, and costs less.
with counted as ({counts}),
sized as (
    select tenant, sum(rows) as size from counted group by tenant
), ranked as (
    select s.tenant, s.size, row_number() over (partition by c.table_number order by s.size, s.tenant) as place
    from counted c join sized s on s.tenant = c.tenant
)
select tenant from ranked where place <= {each} group by tenant, size order by size, tenant;

-- name: sample
-- Rows of each tenant, every column as text.
select p.tenant, row_to_json(r)::jsonb
from unnest(%(tenants)s::text[]) with ordinality as p (tenant, place)
cross join lateral (
    select {columns} from ({visible}) as v order by v::text limit %(samples)s) as r
order by p.place, r::text;
