-- Runs in DuckDB: what the load stage shows of its own measurements.

-- name: arms
-- One row an arm, with what the samplers saw meanwhile.
select
    r.arm, r.sessions, r.seconds, r.transactions, r.tps, r.failed, r.aborted, r.complete, r.failure,
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
order by r.sessions;

-- name: operations
select arm, sessions, operation, calls, p50_ms, p95_ms, p99_ms, failures
from load_operations
where run_id = $run_id and workload = $workload
order by sessions, operation;

-- name: broken
-- Arms of the newest run of a workload that did not run to their end without an aborted session.
select arm, aborted, failure
from load_runs
where workload = $workload and (aborted > 0 or not complete)
    and run_id = (select arg_max(run_id, recorded_at) from load_runs where workload = $workload);
