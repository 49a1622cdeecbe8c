-- What row level security does not govern is not granted: TRUNCATE, REFERENCES, TRIGGER, granting on; and
-- nothing is granted to everybody.
select format('%%s.%%s', n.nspname, c.relname), problem.told
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
left join lateral (
    select format('%%s has %%s, which row level security does not govern', r, p) as told
    from unnest(%(roles)s::text[]) as r
    cross join unnest('{truncate,references,trigger}'::text[]) as p
    where has_table_privilege(r, c.oid, p)
    union all
    select format('%%s may grant %%s on to others', r, p)
    from unnest(%(roles)s::text[]) as r
    cross join unnest('{select,insert,update,delete}'::text[]) as p
    where has_table_privilege(r, c.oid, p || ' with grant option')
    union all
    select format('everybody has %%s', a.privilege_type)
    from aclexplode(c.relacl) as a
    where a.grantee = 0
) as problem on true
where c.oid = any (%(targets)s::oid[])
order by 1;
