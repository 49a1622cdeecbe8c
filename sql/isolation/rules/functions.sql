-- No function runs with more rights than those of the attacked role that calls it. (Triggers are called
-- by nobody.)
select format('%%s.%%s', n.nspname, f.proname),
       case when calling.role is not null
            then format('%%s may call %%s, which runs with the rights of %%s', calling.role, f.oid::regprocedure, f.proowner::regrole) end
from pg_proc f
join pg_namespace n on n.oid = f.pronamespace
left join lateral (
    select r as role from unnest(%(roles)s::text[]) as r
    where has_function_privilege(r, f.oid, 'execute') and has_schema_privilege(r, n.oid, 'usage')
      and r <> f.proowner::regrole::text
) as calling on f.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)
where f.prosecdef and n.nspname not in ('pg_catalog', 'information_schema')
  and not exists (select from pg_depend d where d.objid = f.oid and d.deptype = 'e')
order by 1;
