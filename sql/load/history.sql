-- Runs in DuckDB: the newest run of a workload beside those that trail it.

-- name: compared
-- A row for each of its arms that has a figure. "Same machine" is the same cores, memory, server and
-- settings (all of which "settings" holds); a run is like another in scale, sessions, way and length.
with figures as (
    select *, ln(tps / calibration_tps) as figure
    from load_runs
    where workload = $workload and complete and void is null and offered_tps is null
        and tps > 0 and calibration_tps > 0
), newest as (
    from figures
    where run_id = (select arg_max(run_id, recorded_at) from load_runs where workload = $workload)
), earlier as (
    select n.arm, f.figure
    from newest n
    join figures f on f.run_id <> n.run_id and f.recorded_at < n.recorded_at
        and (f.arm, f.sessions, f.through, f.scale, f.server_version, f.settings)
            = (n.arm, n.sessions, n.through, n.scale, n.server_version, n.settings)
        and f.pool is not distinct from n.pool
        and f.seconds between 0.9 * n.seconds and 1.1 * n.seconds
    qualify row_number() over (partition by n.arm order by f.recorded_at desc) <= $most
), usual as (
    select arm, count(*) as runs, median(figure) as median, 1.4826 * mad(figure) as scatter
    from earlier
    group by arm
    having count(*) >= $fewest
)
select
    n.arm, n.tps, n.calibration_tps, coalesce(u.runs, 0) as trailing_runs,
    exp(n.figure - u.median) as of_usual,
    exp(-greatest($widths * u.scatter, -ln($floor))) as lowest,
    coalesce(of_usual < lowest, false) as slower
from newest n
left join usual u using (arm)
order by n.recorded_at, n.arm;
