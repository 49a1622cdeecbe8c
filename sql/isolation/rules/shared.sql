-- Shared tables hold nobody's rows, and are written by those alone whom their list names.
-- only: the lab
select format('%%s.%%s', n.nspname, c.relname), problem.told
from lab.shared_tables s
join pg_class c on c.oid = s.table_name
join pg_namespace n on n.oid = c.relnamespace
left join lateral (
    select format('%%s may %%s without being listed in lab.shared_tables', r.rolname, p.privilege) as told
    from pg_roles r
    cross join (values ('insert'), ('update'), ('delete'), ('truncate')) as p (privilege)
    where r.rolname in ('lab_app', 'lab_auth', 'lab_platform', 'lab_analytics')
      and case when p.privilege in ('insert', 'update') then has_any_column_privilege(r.oid, c.oid, p.privilege)
               else has_table_privilege(r.oid, c.oid, p.privilege) end
      and not (r.rolname = any (s.writers) and p.privilege <> 'truncate')
    union all
    select format('its column %%s says whose a row is, so it needs row level security', a.attname)
    from pg_attribute a
    where a.attrelid = c.oid and a.attname in ('tenant_id', 'owner_tenant_id', 'user_id', 'email')
      and not a.attisdropped
    union all
    select 'who the tenants are is no shared matter' where n.nspname in ('public', 'users', 'auth')
) as problem on true
order by 1;
