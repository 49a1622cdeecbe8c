-- Runs in DuckDB: what a sweep of a workload has found.

-- name: arms
-- A row an arm, in the order in which they ran; percentiles are of all its operations' raw rows. An open
-- arm meets the objective when it keeps up with what is offered, too.
select
    r.arm, r.sessions, r.through, r.pool, r.offered_tps, r.tps, t.p50_ms, t.p95_ms, t.skipped,
    t.p95_ms <= $objective_ms and coalesce(r.tps >= 0.95 * r.offered_tps, true) and t.skipped = 0 as meets,
    coalesce(r.failure::varchar, r.skipped::varchar, r.void::varchar) as note
from load_runs r
left join (
    select
        run_id, workload, arm,
        quantile_cont(latency_us, 0.50) / 1000 as p50_ms,
        quantile_cont(latency_us, 0.95) / 1000 as p95_ms,
        count(*) filter (where outcome = 'skipped') as skipped
    from transactions
    group by run_id, workload, arm
) as t using (run_id, workload, arm)
where r.run_id = $run_id and r.workload = $workload
order by r.recorded_at;
