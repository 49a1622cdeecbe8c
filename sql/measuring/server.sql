-- What is asked of the server beside a load.

-- name: settings
-- Settings that move figures; all that the server has of them.
select name, current_setting(name)
from pg_settings
where name in (
    'autovacuum', 'checkpoint_timeout', 'effective_cache_size', 'fsync', 'full_page_writes',
    'huge_pages_status', 'io_method', 'jit', 'maintenance_work_mem', 'max_connections',
    'max_wal_size', 'random_page_cost', 'shared_buffers', 'synchronous_commit',
    'track_commit_timestamp', 'track_io_timing', 'wal_compression', 'wal_level', 'work_mem'
)
order by name;

-- name: free_connections
-- Sessions that a role without special rights may still open.
select
    current_setting('max_connections')::integer as max_connections,
    current_setting('max_connections')::integer
        - current_setting('superuser_reserved_connections')::integer
        - coalesce(current_setting('reserved_connections', true), '0')::integer
        - (select count(datid)::integer from pg_stat_activity)  -- the one column that all may see
        as free;

-- name: sees_other_sessions
select pg_has_role(current_user, 'pg_read_all_stats', 'usage');

-- name: waits
-- One sample: what the sessions of this database wait for that are not idle. No wait event means
-- on CPU, also when idle: a session reports what it does only after it has read the message.
select wait_event_type, wait_event, sum(active)::integer
from (
    select coalesce(wait_event_type, 'CPU'), coalesce(wait_event, 'CPU'), 1
    from pg_stat_activity
    where datname = current_database()
        and backend_type = 'client backend'
        and (state <> 'idle' or wait_event is null)
        and pid <> pg_backend_pid()
    union all
    values ('CPU', 'CPU', 0)  -- a sample of nobody is a sample too
) as sample (wait_event_type, wait_event, active)
group by wait_event_type, wait_event;

-- name: counters
-- Cumulative counters by source and name; the difference of two readings is what went on between.
select 'pg_stat_database' as source, c.key as name, c.value::numeric::float8 as value
from pg_stat_database d cross join jsonb_each(to_jsonb(d) - '{datid,numbackends}'::text[]) c
where d.datname = current_database() and jsonb_typeof(c.value) = 'number'
union all
select 'pg_stat_wal', c.key, c.value::numeric::float8
from pg_stat_wal w cross join jsonb_each(to_jsonb(w)) c
where jsonb_typeof(c.value) = 'number'
union all
select
    'pg_stat_io', concat_ws('/', io.backend_type, io.object, io.context, c.key),
    c.value::numeric::float8
from pg_stat_io io cross join jsonb_each(to_jsonb(io) - 'op_bytes') c
where jsonb_typeof(c.value) = 'number' and c.value <> '0';

-- name: written
-- Checkpoints begun so far, and bytes of WAL.
select (num_timed + num_requested)::float8, pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8
from pg_stat_checkpointer;

-- name: written_16
-- The same of PostgreSQL 16.
select (checkpoints_timed + checkpoints_req)::float8, pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8
from pg_stat_bgwriter;

-- name: limit_explain
-- For one transaction: a plan takes no longer, and nothing is written or locked for long.
select set_config('statement_timeout', '2s', true), set_config('lock_timeout', '200ms', true),
    set_config('transaction_read_only', 'on', true);

-- name: enter_some_tenant
-- Row level security is planned with a tenant in context, as in life.
select lab.enter_tenant(id) from public.tenants where status = 'active' order by id limit 1;

-- name: has_statements
select exists (select from pg_extension where extname = 'pg_stat_statements');

-- name: statements
-- Cumulative figures of every statement in this database, by role.
select
    r.rolname as role, s.queryid::text as queryid, s.toplevel, s.query,
    s.calls, s.total_exec_time as total_ms, s.rows,
    s.shared_blks_hit + s.shared_blks_read as blocks, s.wal_bytes::float8 as wal_bytes
from pg_stat_statements s join pg_roles r on r.oid = s.userid
where s.dbid = (select oid from pg_database where datname = current_database());
