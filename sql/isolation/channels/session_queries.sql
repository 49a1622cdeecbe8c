-- Whom does another tenant look up, by the statements in pg_stat_activity?
-- expected: closed
-- closed by: superuser
-- observes: answer
-- victim: waits
-- because: All tenants' sessions are of one role, and a role sees its own sessions' statements, literals and all.
-- advice: Revoke execute on pg_stat_get_activity(integer) from public, bind parameters in the protocol, or give each tenant a role.

-- name: secrets
select mod(i, 2) = 0 as secret, 'lead ' || i || '@example.com' as address,
       case when mod(i, 2) = 0 then 'lead ' || i || '@example.com' else 'nobody@example.com' end as looked_up
from generate_series(1, %(trials)s) as i;

-- name: act
select id from campaigns.leads where tenant_id = %(victim)s and email_norm = %(looked_up)s;

-- name: rest
select id from campaigns.leads where tenant_id = %(victim)s and email_norm = %(looked_up)s;

-- name: probe
select count(*) from pg_stat_activity where pid <> pg_backend_pid() and query like '%%' || %(address)s || '%%';
