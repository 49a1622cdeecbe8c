-- Row level security is enabled, binds an owner who is attacked too, and has a policy.
select format('%%s.%%s', n.nspname, c.relname), problem.told
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
left join lateral (
    select 'row level security is not enabled' as told where not c.relrowsecurity
    union all
    select format('row level security is not forced on its owner %%s', o.rolname)
    from pg_roles o
    where o.oid = c.relowner and not c.relforcerowsecurity
      and (%(all)s or exists (select from unnest(%(roles)s::text[]) r where pg_has_role(r, o.oid, 'member')))
    union all
    select 'it has no policy' where not exists (select from pg_policy p where p.polrelid = c.oid)
) as problem on true
where c.oid = any (%(targets)s::oid[]) and c.relkind in ('r', 'p')
order by 1;
