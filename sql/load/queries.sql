-- Runs in DuckDB: what the load stage shows of its own measurements.

-- name: arms
-- One row an arm, with what the samplers saw meanwhile.
select
    r.arm, r.sessions, r.through, r.pool, r.seconds, r.transactions, r.tps, r.failed, r.aborted, r.complete,
    r.failure, r.skipped,
    s.server_cpu_percent, s.client_cpu_percent, s.server_memory_mb, s.machine_steal_percent
from load_runs r
left join (
    select
        run_id, workload, arm,
        avg(server_cpu_percent) as server_cpu_percent,
        avg(client_cpu_percent) as client_cpu_percent,
        max(server_memory_mb) as server_memory_mb,
        avg(machine_steal_percent) as machine_steal_percent
    from resource_samples
    group by run_id, workload, arm
) as s using (run_id, workload, arm)
where r.run_id = $run_id and r.workload = $workload
order by r.recorded_at, r.arm;

-- name: operations
select
    arm, sessions, operation, calls, p50_ms, p95_ms, p99_ms, failures, serialization_failures, deadlocks,
    retries
from load_operations
where run_id = $run_id and workload = $workload
order by recorded_at, arm, operation;

-- name: broken
-- Arms of the newest run of a workload that did not run to their end without an aborted session.
select arm, aborted, failure
from load_runs
where workload = $workload and (aborted > 0 or not complete)
    and run_id = (select arg_max(run_id, recorded_at) from load_runs where workload = $workload);

-- name: figures
-- What a workload's own queries say after each arm, and by how much it rose meanwhile.
select arm, query, figure, value, rise
from load_figures
where run_id = $run_id and workload = $workload
order by recorded_at, arm, query, figure;

-- name: invariants
-- What must hold after the newest run of a workload, in words where it does not.
select
    invariant,
    coalesce(violations > 0, true) as broken,
    case
        when coalesce(violations, 1) = 1 then first::varchar  -- of no type where all hold
        when violations > 1 then format('{} ({:,} in all)', first, violations)
    end as told
from load_invariants
where workload = $workload
    and run_id = (select arg_max(run_id, recorded_at) from load_runs where workload = $workload);

-- name: freshness
from freshness_points();

-- name: growth
-- One row an operation in a database, as growth has measured it.
select operation, axis, multiple, p50_ms, blocks_per_call, visits_per_call
from growth
where run_id = $run_id
order by operation, axis, multiple;

-- name: throughput_against_p95
select series, tps, "p95, ms", knee, label from load_curve_points($workload) where $run_id is not null;

-- name: response_time_over_seconds
from load_seconds($run_id, $workload);

-- name: waits
from load_waits($run_id, $workload);

-- name: cpu
-- Percent of one core.
select panel, second, server as "server, %", client as "client, %", checkpoint from load_resources($run_id, $workload);

-- name: memory
select panel, second, memory as "server, MB" from load_resources($run_id, $workload);

-- name: wal
select panel, second, wal as "WAL, MB/s", checkpoint from load_resources($run_id, $workload);

-- name: outcomes
from load_outcomes($run_id, $workload);

-- name: statements
from load_statements($run_id, $workload);

-- name: pools
from load_pools($run_id, $workload);

-- name: tenants
from load_tenants($run_id, $workload);
