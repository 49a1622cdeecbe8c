-- name: identity
select current_setting('server_version_num')::int, system_identifier::text
  from pg_control_system();

-- name: rights
-- Of the connected role; and whether the server is a standby, which takes no writes.
select rolsuper or rolcreatedb as creates_databases,
       rolsuper or rolcreaterole as creates_roles,
       pg_has_role(current_user, 'pg_monitor', 'usage') as monitors,
       pg_has_role(current_user, 'pg_checkpoint', 'usage') as checkpoints,
       pg_is_in_recovery() as is_standby
  from pg_roles
 where rolname = current_user;

-- name: lock_databases
-- One process at a time makes databases, so that none is seen before it has its comment.
select pg_advisory_lock(hashtext('oltp_lab databases'));

-- name: database
-- One row if it exists: its comment.
select shobj_description(oid, 'pg_database')
  from pg_database
 where datname = %(name)s;

-- name: rights_of_template
-- Statements that give a database the rights that its template has.
select format('revoke all on database %%I from public', %(name)s::text)
from pg_database where datname = %(template)s and datacl is not null
union all
select format('grant %%s on database %%I to %%s', a.privilege_type, %(name)s::text,
              case a.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end)
from pg_database d cross join aclexplode(d.datacl) a
where d.datname = %(template)s and a.grantee <> d.datdba;
