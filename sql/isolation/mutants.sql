-- name: roles
-- What a mutant may have left on the server.
select r.rolname, to_jsonb(r) - 'oid' - 'rolpassword', (
    select array_agg(m.roleid::regrole::text order by m.roleid) from pg_auth_members m where m.member = r.oid)
from pg_roles r
order by 1;
