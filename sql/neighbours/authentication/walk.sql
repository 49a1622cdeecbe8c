-- What the walk does beside what it asks of the service.

-- name: add_lead
-- As the application.
insert into campaigns.leads (tenant_id, email) values (%(tenant)s, %(email)s) returning 1;

-- name: add_lead_of
insert into campaigns.leads (tenant_id, email) values (%(victim)s, %(email)s) returning 1;

-- name: count_leads
-- Without a filter: what is seen is what row level security lets through.
select count(*) from campaigns.leads;

-- name: tenants
-- As the platform.
select count(*) from public.tenants;

-- name: wait
update auth.log_in_attempts set since = since - interval '15 minutes' returning 1;

-- name: end_session
update auth.sessions set expires_at = now() where session_token = %(token)s returning 1;

-- name: expire_invites
update auth.invites set expires = expires - interval '7 days' returning 1;

-- name: move
select tenancy.set_status(%(tenant)s, %(status)s);

-- name: remove_user
update users.users set deleted = now() at time zone 'UTC' where id = %(user)s returning 1;

-- name: tables
select n.nspname, c.relname
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_'
    and has_table_privilege(c.oid, 'select')
order by 1, 2;

-- name: holds
select 1
from {table} t
where exists (select from unnest(%(secrets)s::text[]) s where strpos(t::text, s) > 0)
limit 1;

-- name: readable_secrets
-- Asked by a role of its own rights.
select format('%%s.%%s', c.oid::regclass, a.attname)
from pg_class c
join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'auth'
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relkind in ('r', 'p')
    and has_schema_privilege(n.oid, 'usage') and has_column_privilege(c.oid, a.attnum, 'select')
order by 1;
