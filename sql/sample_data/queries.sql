-- name: serialize
-- Two jobs at once: the second waits and finds nothing to do.
select pg_advisory_xact_lock(hashtext('oltp_lab.sample_data'));

-- name: installed
select content_hash, details from lab.builds where part = 'sample_data';

-- name: limit_waits
select set_config('lock_timeout', %s, true);

-- name: shared
-- Tables that belong to no tenant; a file that fills one of them empties it first.
select n.nspname, c.relname
from lab.shared_tables s
join pg_class c on c.oid = s.table_name
join pg_namespace n on n.oid = c.relnamespace;

-- name: become_platform
-- The administrator could truncate; from here on row level security applies.
do $$
begin
    if not pg_has_role(current_user, 'lab_platform', 'set') then
        execute format('grant lab_platform to %I with inherit false, set true', current_user);
    end if;
    set local role lab_platform;
end
$$;

-- name: fill_scale
insert into pg_temp.scale select * from jsonb_populate_record(null::pg_temp.scale, %s);

-- name: fill_pool
copy pg_temp.pool from stdin;

-- name: analyze_ground
-- The planner would take the one row for a thousand.
analyze pg_temp.scale, pg_temp.pool;

-- name: record
insert into lab.builds (part, content_hash, details) values ('sample_data', %s, %s)
on conflict (part) do update
set content_hash = excluded.content_hash, details = excluded.details, built_at = now();

-- name: renew_incarnation
update lab.incarnation set incarnation = gen_random_uuid(), renewed_at = now();

-- name: offending
-- The rows that break a rule: how many, and ten of them.
with offending as materialized ({rule})
select count(*) over (), to_jsonb(offending) from offending limit 10;
