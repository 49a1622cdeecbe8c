-- Whether a database that the lab did not make can be tested: each query says what stands against it.

-- name: role
select case
    when r.rolname is null
        then format('there is no role %%s: set `role` to the application''s', %(role)s::text)
    when r.rolsuper
        then format('role %%s is a superuser, whom no policy binds: set `role` to the role that the application connects as', r.rolname)
    when r.rolbypassrls
        then format('role %%s has BYPASSRLS, so no policy binds it: set `role` to the role that the application connects as', r.rolname)
    when not pg_has_role(current_user, r.oid, 'member')
        then format('%%s may not act as %%s: run `grant %%I to %%I` there, or name another user in `url`',
                    current_user, r.rolname, r.rolname, current_user) end
from (values (%(role)s::name)) as wanted (name)
left join pg_roles r on r.rolname = wanted.name;

-- name: tenant_column
select format('no table has a column %%s: set `tenant_column` to the one that names the tenant', %(tenant_column)s::text)
where not exists (
    select from pg_attribute a
    join pg_class c on c.oid = a.attrelid
    join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and a.attname = %(tenant_column)s and not a.attisdropped
      and n.nspname not in ('pg_catalog', 'information_schema'));

-- name: witness
-- Who is to know what there is must see it.
select format('user %%s is subject to row level security on %%s, so does not see what there is to leak: name one in `url` that sees every row',
              current_user, string_agg(c.oid::regclass::text, ', '))
from pg_attribute a
join pg_class c on c.oid = a.attrelid
where c.relkind in ('r', 'p') and a.attname = %(tenant_column)s and not a.attisdropped and row_security_active(c.oid)
having count(*) > 0;
