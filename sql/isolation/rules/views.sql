-- Views on tenants' tables ask with the rights of whoever asks; what is materialized has forgotten whose
-- it is, and belongs to nobody who is held to a tenant.
with recursive reading as (
    select r.ev_class as view, d.refobjid as relation
    from pg_rewrite r
    join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid and d.refclassid = 'pg_class'::regclass
    where d.refobjid <> r.ev_class
), reached as (
    select view, relation from reading
    union
    select r.view, n.relation from reached r join reading n on n.view = r.relation
)
select format('%%s.%%s', n.nspname, c.relname), problem.told
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
left join lateral (
    select case when c.relkind = 'm' then format('%%s may read it, and no policy applies to what is materialized', r)
                else format('%%s may read it with the rights of %%s: it lacks security_invoker', r, c.relowner::regrole) end as told
    from unnest(%(roles)s::text[]) as r
    where has_any_column_privilege(r, c.oid, 'select') and r <> c.relowner::regrole::text
      and (c.relkind = 'm' or not coalesce(c.reloptions::text ~* 'security_invoker=(true|on|1|yes)', false))
) as problem on true
where c.relkind in ('v', 'm') and n.nspname not in ('pg_catalog', 'information_schema')
  and exists (select from reached where view = c.oid and relation = any (%(targets)s::oid[]))
order by 1;
