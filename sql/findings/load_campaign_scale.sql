-- Campaigns under way. The workload campaign_scale, its newest complete run.

-- name: card
with newest as (
    select * from load_figures where workload = 'campaign_scale' and run_id = newest_run('campaign_scale')
), steady as (
    select
        run_id,
        max(value) filter (query = 'step_lag' and figure = 'p50_ms') as lag_p50_ms,
        max(value) filter (query = 'step_lag' and figure = 'p95_ms') as lag_p95_ms,
        max(value) filter (query = 'due_steps' and figure = 'waiting') as waiting
    from newest where arm like 'steady%' group by run_id
), all_arms as (
    select
        max(value) filter (query = 'step_lag' and figure = 'p95_ms' and arm like 'burst%') as burst_lag_p95_ms,
        sum(rise) filter (query = 'storage' and figure like 'campaigns.enrollments hot_updates') as hot,
        sum(rise) filter (query = 'storage' and figure = 'campaigns.enrollments updates') as updates
    from newest
), rates as (
    select max(tps) as steps_a_second from (
        select n.rise / r.seconds as tps
        from newest n join load_runs r using (run_id, workload, arm)
        where n.query = 'steps' and n.figure = 'executed'
    )
), times as (
    select
        max(p95_ms) filter (operation = 'campaign_create') as create_p95_ms,
        max(p95_ms) filter (operation = 'lead_lookup') as lookup_p95_ms
    from load_operations
    where workload = 'campaign_scale' and run_id = newest_run('campaign_scale') and arm like 'steady%'
), wal as (
    select sum(wal_bytes) / sum(calls) as wal_bytes_a_step
    from statements
    where workload = 'campaign_scale' and run_id = newest_run('campaign_scale') and query like '%scratch_load.execute(%'
), kept as (
    select count(*) as invariants, count(*) filter (violations is distinct from 0) as broken
    from load_invariants
    where workload = 'campaign_scale' and run_id = newest_run('campaign_scale')
)
select
    s.run_id, r.steps_a_second, s.lag_p50_ms, s.lag_p95_ms, a.burst_lag_p95_ms, a.hot / nullif(a.updates, 0) as hot_ratio,
    w.wal_bytes_a_step, t.create_p95_ms, t.lookup_p95_ms,
    'Do sequences keep up with 5,000 campaigns under way?' as question,
    case
        when k.broken > 0 then 'Not correctly'
        when s.lag_p95_ms < 1000 then 'They keep up'
        else 'They fall behind'
    end as verdict,
    case when k.broken > 0 then 'bad' when s.lag_p95_ms < 1000 then 'good' else 'fair' end as tone,
    format(
        '{:,.0f} steps/s at most; p95 {:,.0f} ms behind due time at a steady rate, {:,.0f} ms in a burst',
        r.steps_a_second, s.lag_p95_ms, a.burst_lag_p95_ms
    ) as headline,
    format(
        'Steps run {:,.0f} ms behind due time (p95), {:,.0f} ms in a burst; {:,.0f} steps/s at most',
        s.lag_p95_ms, a.burst_lag_p95_ms, r.steps_a_second
    ) as effect,
    format(
        '{:.0f} % of updates of enrollments are HOT; {:,.0f} bytes of WAL a step; {:,.0f} steps were left waiting.',
        100 * a.hot / nullif(a.updates, 0), w.wal_bytes_a_step, s.waiting
    ) as evidence,
    format('{} invariants of steps, sends and counters, {} broken.', k.invariants, k.broken) as correctness,
    'Size workers for the burst, not for the mean: what waits, waits to be claimed.' as advice,
    'More falls due in a second than workers execute in one.' as flips
from steady s cross join all_arms a cross join rates r cross join times t cross join wal w cross join kept k;

-- name: ranges_response_time_by_operation_and_arm
from load_ranges(newest_run('campaign_scale'), 'campaign_scale');

-- name: table_response_time_by_operation
from load_response_times(newest_run('campaign_scale'), 'campaign_scale');

-- name: table_sequence_step_execution_rate_and_lag
select
    replace(n.arm, '_', ' ') as "arm",
    max(n.rise / r.seconds) filter (query = 'steps' and figure = 'executed') as "steps/s",
    max(value) filter (query = 'step_lag' and figure = 'p50_ms') as "lag p50, ms",
    max(value) filter (query = 'step_lag' and figure = 'p95_ms') as "lag p95, ms",
    max(value) filter (query = 'step_lag' and figure = 'unclaimed_p95_ms') as "unclaimed p95, ms",
    max(value) filter (query = 'step_lag' and figure = 'longest_ms') as "longest, ms",
    max(value) filter (query = 'step_duration' and figure = 'sent_p95_ms') as "sent in p95, ms",
    max(value) filter (query = 'due_steps' and figure = 'waiting')::bigint as "left waiting"
from load_figures n join load_runs r using (run_id, workload, arm)
where n.workload = 'campaign_scale' and n.run_id = newest_run('campaign_scale')
group by n.arm
order by min(n.recorded_at);

-- name: table_wal_of_a_step
select
    replace(arm, '_', ' ') as "arm", sum(calls)::bigint as "steps", sum(wal_bytes) / sum(calls) as "WAL, bytes a step",
    sum(blocks) / sum(calls) as "blocks a step", sum(total_ms) / sum(calls) as "ms a step"
from statements
where workload = 'campaign_scale' and run_id = newest_run('campaign_scale') and query like '%scratch_load.execute(%'
group by arm
order by min(recorded_at);

-- name: ranges_lag_behind_due_time_by_size_of_sender
with named as (
    select replace(arm, '_', ' ') as arm, recorded_at, string_split(figure, ' p')[1] as band, 'p' || string_split(figure, ' p')[2] as name, value
    from load_figures
    where workload = 'campaign_scale' and run_id = newest_run('campaign_scale') and query = 'lag_by_sender'
)
select
    arm, band as "senders by size", max(value) filter (name = 'p50_ms') as p50, max(value) filter (name = 'p95_ms') as p95,
    null::double as p99
from named
group by arm, band
order by min(recorded_at), string_split(band, ' ')[1]::integer;

-- name: table_table_and_index_bloat_and_hot_ratio
-- Of the tables that sequences write, in the whole database; growth is of all arms together.
with named as (
    select arm, recorded_at, string_split(figure, ' ')[1] as name, string_split(figure, ' ')[2] as what, value, rise
    from load_figures
    where workload = 'campaign_scale' and run_id = newest_run('campaign_scale') and query = 'storage'
)
select
    name as "table",
    arg_max(value, recorded_at) filter (what = 'table_bytes') / 1e6 as "table, MB",
    sum(rise) filter (what = 'table_bytes') / 1e6 as "grown by, MB",
    arg_max(value, recorded_at) filter (what = 'index_bytes') / 1e6 as "indexes, MB",
    sum(rise) filter (what = 'index_bytes') / 1e6 as "grown by, MB ",
    (arg_max(value, recorded_at) filter (what = 'dead_rows'))::bigint as "dead rows",
    (sum(rise) filter (what = 'updates'))::bigint as "updates",
    100 * sum(rise) filter (what = 'hot_updates') / nullif(sum(rise) filter (what = 'updates'), 0) as "HOT, %"
from named
group by name
order by name;

-- name: table_throughput_and_what_it_took
-- CPU in percent of one core.
from load_throughput(newest_run('campaign_scale'), 'campaign_scale');

-- name: curve_throughput_against_p95_by_sessions
-- The newest of each arm, also of a sweep; the knee is where throughput over p95 is greatest.
select series, tps, "p95, ms", knee, label from load_curve_points('campaign_scale');

-- name: lines_response_time_over_seconds_in_milliseconds
from load_seconds(newest_run('campaign_scale'), 'campaign_scale');

-- name: areas_sessions_at_work_by_what_they_waited_for
from load_waits(newest_run('campaign_scale'), 'campaign_scale');

-- name: lines_processor_time_over_seconds_in_percent_of_one_core
select panel, second, server, client from load_resources(newest_run('campaign_scale'), 'campaign_scale');

-- name: lines_memory_of_the_server_over_seconds_in_megabytes
select panel, second, memory from load_resources(newest_run('campaign_scale'), 'campaign_scale');

-- name: lines_write_ahead_log_over_seconds_in_megabytes_a_second
select panel, second, wal, checkpoint from load_resources(newest_run('campaign_scale'), 'campaign_scale');

-- name: table_outcomes_other_than_success_at_once
from load_outcomes(newest_run('campaign_scale'), 'campaign_scale');

-- name: table_steps_by_outcome
from load_counts(newest_run('campaign_scale'), 'campaign_scale', 'steps');

-- name: table_statements_that_took_most_of_the_time
from load_statements(newest_run('campaign_scale'), 'campaign_scale');
