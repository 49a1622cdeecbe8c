-- No policy that binds an attacked role can be stepped around: none offers an alternative to being in
-- the tenant, and none calls a function whose result a plan may keep, or that runs with other rights.
select format('%%s.%%s', n.nspname, c.relname), problem.told
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
left join lateral (
    select format('policy %%s says "or", so another condition than the tenant''s lets rows through', p.polname) as told
    from pg_policy p
    where p.polrelid = c.oid and p.polpermissive
      and exists (select from unnest(%(roles)s::text[]) as r
                  cross join unnest(p.polroles) as g where case when g = 0 then true else pg_has_role(r, g, 'usage') end)
      and (p.polqual::text ~ '^\{BOOLEXPR :boolop or' or p.polwithcheck::text ~ '^\{BOOLEXPR :boolop or')
    union all
    select format('policy %%s calls %%s, which is %%s', p.polname, f.oid::regprocedure,
                  case when f.provolatile = 'i' then 'IMMUTABLE: a plan keeps what it said of another tenant'
                       else 'SECURITY DEFINER: it sees what its owner sees' end)
    from pg_policy p
    join pg_depend d on d.classid = 'pg_policy'::regclass and d.objid = p.oid
    join pg_proc f on d.refclassid = 'pg_proc'::regclass and f.oid = d.refobjid
    where p.polrelid = c.oid and f.oid >= 16384 and (f.provolatile = 'i' or f.prosecdef)
) as problem on true
where c.oid = any (%(targets)s::oid[]) and c.relkind in ('r', 'p')
order by 1;
