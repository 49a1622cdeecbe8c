-- Tables and what refers to what, from the catalog of the OLTP database, for the report's pictures.

-- name: columns
-- A foreign key belongs to its last column: those before it are the tenant, or say more of the same.
with tables as (
    select
        c.oid, n.nspname, c.relname,
        case when n.nspname in ('public', 'users', 'auth') then 'tenancy' else n.nspname::text end as domain,
        case when n.nspname in ('public', 'users', 'auth') then format('%s.%s', n.nspname, c.relname)
             else c.relname::text end as label
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and not c.relispartition
      and n.nspname not in ('pg_catalog', 'information_schema', 'lab')
)
select
    t.domain, t.label as "table", a.attname as "column",
    replace(replace(format_type(a.atttypid, null), 'timestamp with time zone', 'timestamptz'),
            ' without time zone', '') as type,
    exists (select from pg_constraint k
            where k.conrelid = t.oid and k.contype = 'p' and a.attnum = any (k.conkey)) as key,
    refers.label as target,
    coalesce(refers.domain = t.domain, false) as drawn
from tables t
join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
left join lateral (
    select target.domain, target.label
    from pg_constraint k join tables target on target.oid = k.confrelid
    where k.conrelid = t.oid and k.contype = 'f' and k.conkey[cardinality(k.conkey)] = a.attnum
    order by k.conname
    limit 1
) as refers on true
order by array_position(array['tenancy', 'infrastructure', 'campaigns', 'billing', 'configuration', 'integration'],
                        t.domain),
         t.domain collate "C", t.nspname, t.relname, a.attnum;
