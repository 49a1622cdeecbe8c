-- Look-ups of configuration. The workload configuration_lookup, its newest complete run.

-- name: card
-- Of the arm with most sessions.
with busiest as (
    select run_id, arm, sessions, tps from load_runs
    where workload = 'configuration_lookup' and run_id = newest_run('configuration_lookup') and skipped is null
    order by sessions desc
    limit 1
), times as (
    select
        max(o.p50_ms) filter (operation = 'flag_lookup') as flag_p50_ms,
        max(o.p95_ms) filter (operation = 'flag_lookup') as flag_p95_ms,
        max(o.p95_ms) filter (operation = 'setting_lookup') as setting_p95_ms,
        max(o.p95_ms) filter (operation = 'policy_check') as policy_p95_ms,
        sum(o.calls) filter (operation like '%lookup' or operation like 'flag_steady')::bigint as lookups
    from load_operations o join busiest b using (run_id, arm)
    where o.workload = 'configuration_lookup'
), counted as (
    select
        sum(rise) filter (query = 'lookups' and figure = 'feature_flags_scans')::bigint as scans,
        sum(rise) filter (query = 'lookups' and figure = 'feature_flags_index_scans')::bigint as index_scans
    from load_figures where workload = 'configuration_lookup' and run_id = newest_run('configuration_lookup')
), kept as (
    select count(*) as invariants, count(*) filter (violations is distinct from 0) as broken
    from load_invariants
    where workload = 'configuration_lookup' and run_id = newest_run('configuration_lookup')
)
select
    b.run_id, b.tps, t.flag_p50_ms, t.flag_p95_ms, t.setting_p95_ms, t.policy_p95_ms,
    'What does a look-up of configuration take while it changes?' as question,
    case when k.broken > 0 then 'Wrong answers' else format('{:,.1f} ms at the median', t.flag_p50_ms) end as verdict,
    case when k.broken > 0 then 'bad' when t.flag_p95_ms > 100 then 'fair' else 'good' end as tone,
    format(
        'flag p50 {:,.2f} and p95 {:,.2f} ms, setting p95 {:,.2f} ms, policy p95 {:,.2f} ms with {:,} sessions; {} of {} invariants broken',
        t.flag_p50_ms, t.flag_p95_ms, t.setting_p95_ms, t.policy_p95_ms, b.sessions, k.broken, k.invariants
    ) as headline,
    format(
        'A flag takes {:,.2f} ms (p95 {:,.2f}), a setting p95 {:,.2f}, a policy p95 {:,.2f} with {:,} sessions',
        t.flag_p50_ms, t.flag_p95_ms, t.setting_p95_ms, t.policy_p95_ms, b.sessions
    ) as effect,
    format('Flags were read {:,} times by index and {:,} times by scanning them all.', c.index_scans, c.scans) as evidence,
    format('{} invariants of flags, settings and policies, {} broken.', k.invariants, k.broken) as correctness,
    'Look up by key in the database of the tenant; a cache saves time and adds staleness.' as advice,
    'A request looks up dozens one by one: fetch them in one statement at the start of a session.' as flips
from busiest b cross join times t cross join counted c cross join kept k;

-- name: ranges_response_time_by_operation_and_arm
from load_ranges(newest_run('configuration_lookup'), 'configuration_lookup');

-- name: table_response_time_by_operation
from load_response_times(newest_run('configuration_lookup'), 'configuration_lookup');

-- name: table_lookup_and_policy_enforcement
select
    case
        when operation in ('policy_check', 'open_account', 'send_mail') then 'policy enforcement'
        when operation like '%lookup' or operation in ('flag_steady', 'flag_growing', 'session_start') then 'look-up'
        else 'change'
    end as "what", replace(operation, '_', ' ') as "operation", replace(arm, '_', ' ') as "arm", calls as "calls",
    p50_ms::double as "p50, ms", p95_ms::double as "p95, ms"
from load_operations
where workload = 'configuration_lookup' and run_id = newest_run('configuration_lookup')
order by list_position(['look-up', 'policy enforcement', 'change'], "what"), 2, sessions;

-- name: table_throughput_and_what_it_took
-- CPU in percent of one core.
from load_throughput(newest_run('configuration_lookup'), 'configuration_lookup');

-- name: curve_throughput_against_p95_by_sessions
-- The newest of each arm, also of a sweep; the knee is where throughput over p95 is greatest.
select series, tps, "p95, ms", knee, label from load_curve_points('configuration_lookup');

-- name: lines_response_time_over_seconds_in_milliseconds
from load_seconds(newest_run('configuration_lookup'), 'configuration_lookup');

-- name: areas_sessions_at_work_by_what_they_waited_for
from load_waits(newest_run('configuration_lookup'), 'configuration_lookup');

-- name: lines_processor_time_over_seconds_in_percent_of_one_core
select panel, second, server, client from load_resources(newest_run('configuration_lookup'), 'configuration_lookup');

-- name: lines_memory_of_the_server_over_seconds_in_megabytes
select panel, second, memory from load_resources(newest_run('configuration_lookup'), 'configuration_lookup');

-- name: lines_write_ahead_log_over_seconds_in_megabytes_a_second
select panel, second, wal, checkpoint from load_resources(newest_run('configuration_lookup'), 'configuration_lookup');

-- name: table_outcomes_other_than_success_at_once
from load_outcomes(newest_run('configuration_lookup'), 'configuration_lookup');

-- name: table_answers_and_refusals
from load_counts(newest_run('configuration_lookup'), 'configuration_lookup', 'outcomes');

-- name: table_reads_of_configuration_tables
from load_counts(newest_run('configuration_lookup'), 'configuration_lookup', 'lookups');

-- name: table_changes_of_configuration_tables
from load_counts(newest_run('configuration_lookup'), 'configuration_lookup', 'changes');

-- name: table_policies_at_their_edge
from load_counts(newest_run('configuration_lookup'), 'configuration_lookup', 'policies');

-- name: table_statements_that_took_most_of_the_time
from load_statements(newest_run('configuration_lookup'), 'configuration_lookup');
