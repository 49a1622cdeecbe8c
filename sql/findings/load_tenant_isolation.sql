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
        and run_id = newest_run('tenant_isolation')
    group by run_id
), knee as (
    select max(sessions) filter (knee) as knee from load_curve('tenant_isolation')
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
    run_id, tps_peak, tps_most, p95_fewest, p95_most, transactions, failed, knee,
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
        '{:,.0f} tx/s with {:,} sessions, {:,.0f} with {:,}, at most {:,.0f} with {:,}. {}',
        tps_fewest, fewest, tps_most, most, tps_peak, sessions_peak,
        coalesce(format('The knee, where throughput over p95 is greatest: {:,} sessions.', knee), '')
    ) as evidence,
    format('{:,} transactions, {} failed, no client aborted.', transactions, failed) as correctness,
    format('Let about {:,} sessions at a time reach the server, and queue the rest.', sessions_peak)
        as advice,
    'There are more cores, or sessions that mostly idle.' as flips
from ends cross join slowest cross join knee;

-- name: ranges_response_time_by_operation_and_arm
from load_ranges(newest_run('tenant_isolation'), 'tenant_isolation');

-- name: table_response_time_by_operation
from load_response_times(newest_run('tenant_isolation'), 'tenant_isolation');

-- name: ranges_response_time_by_size_of_tenant
-- The noisy neighbour: large tenants ask more often.
select arm, "tenants by size", p50, p95, p99 from load_tenants(newest_run('tenant_isolation'), 'tenant_isolation');

-- name: table_response_time_by_size_of_tenant
select arm as "arm", "tenants by size", calls as "calls", p50 as "p50, ms", p95 as "p95, ms" from load_tenants(newest_run('tenant_isolation'), 'tenant_isolation');

-- name: table_connection_pool_utilisation
from load_pools(newest_run('tenant_isolation'), 'tenant_isolation');

-- name: table_throughput_and_what_it_took
-- CPU in percent of one core.
from load_throughput(newest_run('tenant_isolation'), 'tenant_isolation');

-- name: curve_throughput_against_p95_by_sessions
-- The newest of each arm, also of a sweep; the knee is where throughput over p95 is greatest.
select series, tps, "p95, ms", knee, label from load_curve_points('tenant_isolation');

-- name: lines_response_time_over_seconds_in_milliseconds
from load_seconds(newest_run('tenant_isolation'), 'tenant_isolation');

-- name: areas_sessions_at_work_by_what_they_waited_for
from load_waits(newest_run('tenant_isolation'), 'tenant_isolation');

-- name: lines_processor_time_over_seconds_in_percent_of_one_core
select panel, second, server, client from load_resources(newest_run('tenant_isolation'), 'tenant_isolation');

-- name: lines_memory_of_the_server_over_seconds_in_megabytes
select panel, second, memory from load_resources(newest_run('tenant_isolation'), 'tenant_isolation');

-- name: lines_write_ahead_log_over_seconds_in_megabytes_a_second
select panel, second, wal, checkpoint from load_resources(newest_run('tenant_isolation'), 'tenant_isolation');

-- name: table_outcomes_other_than_success_at_once
from load_outcomes(newest_run('tenant_isolation'), 'tenant_isolation');

-- name: table_statements_that_took_most_of_the_time
from load_statements(newest_run('tenant_isolation'), 'tenant_isolation');
