-- Nothing writes to, or inherits from, a tenant's table behind its policies: no rewrite rule, no child
-- table that is open by itself.
select format('%%s.%%s', n.nspname, c.relname), problem.told
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
left join lateral (
    select format('rule %%s rewrites its statements', w.rulename) as told
    from pg_rewrite w
    where w.ev_class = c.oid and w.rulename <> '_RETURN'
    union all
    select format('its child %%s has no row level security of its own', h.inhrelid::regclass)
    from pg_inherits h
    join pg_class child on child.oid = h.inhrelid
    where h.inhparent = c.oid and not child.relrowsecurity
      and exists (select from unnest(%(roles)s::text[]) as r where has_any_column_privilege(r, child.oid, 'select'))
) as problem on true
where c.oid = any (%(targets)s::oid[]) and c.relkind in ('r', 'p')
order by 1;
