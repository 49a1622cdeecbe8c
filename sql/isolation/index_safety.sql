-- What judges whether row level security leaves the indexes alone.

-- name: keep_out_of_the_log
-- Plans come to the session as messages of level LOG, which the server's own log would get as well.
set log_min_messages = panic;

-- name: unlock
select pg_advisory_unlock(hashtext('scratch_load'));

-- name: print_plans
-- Small tables are read whole whatever there is; what matters is which index *can* be used.
set local client_min_messages = log;
set local debug_pretty_print = off;
set local enable_seqscan = off;
set local max_parallel_workers_per_gather = 0;
set local debug_print_plan = on;

-- name: forget_plans
discard plans;

-- name: lend
-- Some operations are the application's alone; the platform may call them until the rollback.
grant execute on all functions in schema billing, campaigns, configuration, infrastructure, integration, tenancy
    to lab_platform;

-- name: tenant
-- The tenant whose rows the calls are aimed at: of the active ones with a subscription, the largest.
select l.tenant_id
from campaigns.leads l
join public.tenants t on t.id = l.tenant_id and t.status = 'active'
where exists (
        select from billing.subscriptions s where s.tenant_id = l.tenant_id and s.status = 'active'
    )
    and exists (
        select from campaigns.campaigns c where c.tenant_id = l.tenant_id and c.status = 'running'
    )
group by l.tenant_id
order by count(*) desc, l.tenant_id
limit 1;

-- name: tables
-- Those that row level security guards, and their columns by number.
select
    c.oid::bigint, n.nspname || '.' || c.relname,
    (select jsonb_object_agg(a.attnum, a.attname) from pg_attribute a where a.attrelid = c.oid and a.attnum > 0)
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where c.relrowsecurity;

-- name: indexes
-- Their columns or expressions in order, each with the functions in it that are not leakproof.
select
    i.indexrelid::bigint, x.relname,
    jsonb_agg(jsonb_build_array(pg_get_indexdef(i.indexrelid, place, true), leaks.functions) order by place)
from pg_index i
join pg_class x on x.oid = i.indexrelid
join pg_class c on c.oid = i.indrelid and c.relrowsecurity
cross join generate_series(1, i.indnatts::integer) as place
cross join lateral (
    select coalesce(jsonb_agg(distinct p.oid::regprocedure::text), '[]') as functions
    from regexp_matches(i.indexprs::text, ':(?:funcid|opfuncid) (\d+)', 'g') as called
    join pg_proc p on p.oid = called[1]::oid
    where i.indkey[place - 1] = 0 and not p.proleakproof
) as leaks
group by i.indexrelid, x.relname;

-- name: leaking_operators
select o.oid::bigint, o.oid::regoperator::text
from pg_operator o
join pg_proc p on p.oid = o.oprcode
where not p.proleakproof;

-- name: leaking_functions
-- Those of operators are named by one of these.
select p.oid::bigint, coalesce(min(o.oid::regoperator::text), p.oid::regprocedure::text)
from pg_proc p
left join pg_operator o on o.oprcode = p.oid
where not p.proleakproof
group by p.oid;

-- name: callable
-- The application's operations.
select p.oid::regprocedure::text, n.nspname || '.' || p.proname
from pg_proc p
join pg_namespace n on n.oid = p.pronamespace
where has_schema_privilege('lab_app', n.oid, 'usage') and has_function_privilege('lab_app', p.oid, 'execute')
    and n.nspname not in ('pg_catalog', 'information_schema')
    and p.prorettype <> 'trigger'::regtype
    and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
order by 1;
