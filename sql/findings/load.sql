-- Response times and throughput under load. The workload tenant_isolation, its newest complete run.

-- name: card
with ends as (
    select
        run_id, min(sessions) as fewest, max(sessions) as most,
        arg_min(tps, sessions) as tps_fewest, arg_max(tps, sessions) as tps_most,
        max(tps) as tps_peak, arg_max(sessions, tps) as sessions_peak,
        sum(transactions)::bigint as transactions, sum(failed)::bigint as failed
    from load_runs
    where workload = 'tenant_isolation' and arm like 'direct%'  -- a connection a session
    group by run_id
    having bool_and(complete)
    order by max(recorded_at) desc
    limit 1
), slowest as (
    select o.operation, o.p95_ms as p95_most, f.p95_ms as p95_fewest
    from ends e
    join load_operations o on o.run_id = e.run_id and o.sessions = e.most
    join load_operations f on f.run_id = e.run_id and f.sessions = e.fewest
        and f.workload = o.workload and f.operation = o.operation
    where o.workload = 'tenant_isolation' and f.calls > 0 and o.calls > 0
        and o.arm like 'direct%' and f.arm like 'direct%'
    order by o.p95_ms desc
    limit 1
)
select
    run_id, tps_peak, tps_most, p95_fewest, p95_most, transactions, failed,
    format('What do {:,} sessions at once cost?', most) as question,
    format('p95 × {:,.0f}', p95_most / p95_fewest) as verdict,
    'fair' as tone,
    format(
        '{} has its p95 at {:,.1f} ms with {:,} sessions, at {:,.1f} ms with {:,}; {:,.0f} tx/s at most',
        replace(operation, '_', ' '), p95_fewest, fewest, p95_most, most, tps_peak
    ) as headline,
    format(
        '{}: p95 {:,.1f} → {:,.1f} ms from {:,} to {:,} sessions',
        replace(operation, '_', ' '), p95_fewest, p95_most, fewest, most
    ) as effect,
    format(
        '{:,.0f} tx/s with {:,} sessions, {:,.0f} with {:,}, at most {:,.0f} with {:,}.',
        tps_fewest, fewest, tps_most, most, tps_peak, sessions_peak
    ) as evidence,
    format('{:,} transactions, {} failed, no client aborted.', transactions, failed) as correctness,
    format('Let about {:,} sessions at a time reach the server, and queue the rest.', sessions_peak)
        as advice,
    'There are more cores, or sessions that mostly idle.' as flips
from ends cross join slowest;

-- name: ranges_response_time_by_operation_and_sessions
select
    replace(operation, '_', ' ') as operation, sessions, p50_ms::double as p50,
    p95_ms::double as p95, p99_ms::double as p99
from load_operations
where workload = 'tenant_isolation' and arm like 'direct%' and calls > 0 and run_id = (
    select run_id from load_runs where workload = 'tenant_isolation'
    group by run_id having bool_and(complete)
    order by max(recorded_at) desc limit 1
)
order by operation, sessions;

-- name: table_response_time_by_operation_and_sessions
select
    replace(operation, '_', ' ') as "operation", replace(arm, '_', ' ') as "arm", calls as "calls",
    p50_ms::double as "p50, ms", p95_ms::double as "p95, ms", p99_ms::double as "p99, ms",
    failures as "failed"
from load_operations
where workload = 'tenant_isolation' and run_id = (
    select run_id from load_runs where workload = 'tenant_isolation'
    group by run_id having bool_and(complete)
    order by max(recorded_at) desc limit 1
)
order by operation, sessions, arm;

-- name: table_throughput_and_what_it_took
-- CPU in percent of one core.
with resources as (
    select
        run_id, workload, arm, sessions, avg(server_cpu_percent) as server_cpu,
        avg(client_cpu_percent) as client_cpu, max(server_memory_mb) as server_memory
    from resource_samples
    group by all
)
select
    replace(arm, '_', ' ') as "arm", sessions as "sessions", tps as "tx/s",
    transactions as "transactions", failed as "failed",
    server_cpu as "server CPU, %", client_cpu as "client CPU, %",
    server_memory as "server memory, MB"
from load_runs left join resources using (run_id, workload, arm, sessions)
where workload = 'tenant_isolation' and run_id = (
    select run_id from load_runs where workload = 'tenant_isolation'
    group by run_id having bool_and(complete)
    order by max(recorded_at) desc limit 1
)
order by sessions;
