-- An attacked role is nobody special, and a member of nothing that is.
select format('role %%s', r.rolname), problem.told
from pg_roles r
left join lateral (
    select format('it has %%s', right_name) as told
    from (values ('SUPERUSER', r.rolsuper), ('BYPASSRLS', r.rolbypassrls), ('CREATEROLE', r.rolcreaterole),
                 ('REPLICATION', r.rolreplication)) as attribute (right_name, has)
    where has
    union all
    select format('it may act as %%s', other.rolname)
    from pg_roles other
    where other.oid <> r.oid and not r.rolsuper and pg_has_role(r.oid, other.oid, 'member')
      and (other.rolsuper or other.rolbypassrls
           or other.rolname ~ '^pg_(read_all_data|write_all_data|read_server_files|write_server_files|execute_server_program)$'
           or other.rolname = any (%(roles)s::text[])
           or exists (select from pg_class c where c.oid = any (%(targets)s::oid[]) and c.relowner = other.oid)
           or exists (select from pg_policy p
                      where p.polrelid = any (%(targets)s::oid[]) and other.oid = any (p.polroles)))
) as problem on true
where r.rolname = any (%(roles)s::text[])
order by 1;
