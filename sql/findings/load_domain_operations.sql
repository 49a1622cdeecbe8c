-- Domains and addresses under load. The workload domain_operations, its newest complete run.

-- name: card
-- Of the arm with most sessions.
with busiest as (
    select run_id, arm, sessions, tps from load_runs
    where workload = 'domain_operations' and run_id = newest_run('domain_operations') and skipped is null
    order by sessions desc
    limit 1
), times as (
    select
        max(o.p95_ms) filter (operation = 'check_dns') as check_p95_ms,
        max(o.p95_ms) filter (operation = 'domain_page') as page_p95_ms,
        max(o.p95_ms) filter (operation = 'assign_address') as assign_p95_ms
    from load_operations o join busiest b using (run_id, arm)
    where o.workload = 'domain_operations'
), told as (
    -- Of few calls there is no p95.
    select
        t.*,
        coalesce(format('{:,.1f} ms', check_p95_ms), 'of too few') as a_check,
        coalesce(format('{:,.1f} ms', assign_p95_ms), 'of too few') as an_assignment,
        coalesce(format('{:,.1f} ms', page_p95_ms), 'of too few') as a_page
    from times t
), counted as (
    select
        max(value) filter (query = 'failovers' and figure = 'servers_failed')::bigint as failed,
        max(value) filter (query = 'failovers' and figure = 'addresses_replaced')::bigint as replaced,
        max(value) filter (query = 'failovers' and figure = 'milliseconds_longest') as failover_longest_ms,
        max(value) filter (query = 'quality' and figure = 'share_of_the_best') as share_of_the_best
    from load_figures join busiest using (run_id, arm)
    where workload = 'domain_operations'
), kept as (
    select count(*) as invariants, count(*) filter (violations is distinct from 0) as broken
    from load_invariants
    where workload = 'domain_operations' and run_id = newest_run('domain_operations')
)
select
    b.run_id, b.tps, t.check_p95_ms, t.page_p95_ms, t.assign_p95_ms, c.failover_longest_ms, c.share_of_the_best,
    'Do domains and their addresses belong beside the application''s tables?' as question,
    case when k.broken > 0 then 'Ownership broke' when t.page_p95_ms > 100 then 'They slow it down' else 'They do' end as verdict,
    case when k.broken > 0 then 'bad' when t.page_p95_ms > 100 then 'fair' else 'good' end as tone,
    format(
        'DNS result p95 {}, assignment p95 {}, domain page p95 {} with {:,} sessions; '
        '{:,} addresses failed over; {} of {} invariants broken',
        t.a_check, t.an_assignment, t.a_page, b.sessions, c.replaced, k.broken, k.invariants
    ) as headline,
    format(
        'p95 with {:,} sessions: a DNS result {}, an assignment {}, a domain page {}',
        b.sessions, t.a_check, t.an_assignment, t.a_page
    ) as effect,
    format(
        '{:,} servers failed, {:,} addresses were replaced, the longest failover took {:,.0f} ms; what was chosen '
        'carries {:.0f} % of the best.',
        c.failed, c.replaced, c.failover_longest_ms, 100 * c.share_of_the_best
    ) as evidence,
    format('{} invariants of owners, histories and warm-up, {} broken.', k.invariants, k.broken) as correctness,
    'Keep who owns an address in one row that the database locks.' as advice,
    'Look-ups of DNS hold a transaction open while they wait for the network.' as flips
from busiest b cross join told t cross join counted c cross join kept k;

-- name: ranges_response_time_by_operation_and_arm
from load_ranges(newest_run('domain_operations'), 'domain_operations');

-- name: table_response_time_by_operation
from load_response_times(newest_run('domain_operations'), 'domain_operations');

-- name: table_throughput_and_what_it_took
-- CPU in percent of one core.
from load_throughput(newest_run('domain_operations'), 'domain_operations');

-- name: curve_throughput_against_p95_by_sessions
-- The newest of each arm, also of a sweep; the knee is where throughput over p95 is greatest.
select series, tps, "p95, ms", knee, label from load_curve_points('domain_operations');

-- name: lines_response_time_over_seconds_in_milliseconds
from load_seconds(newest_run('domain_operations'), 'domain_operations');

-- name: areas_sessions_at_work_by_what_they_waited_for
from load_waits(newest_run('domain_operations'), 'domain_operations');

-- name: lines_processor_time_over_seconds_in_percent_of_one_core
select panel, second, server, client from load_resources(newest_run('domain_operations'), 'domain_operations');

-- name: lines_memory_of_the_server_over_seconds_in_megabytes
select panel, second, memory from load_resources(newest_run('domain_operations'), 'domain_operations');

-- name: lines_write_ahead_log_over_seconds_in_megabytes_a_second
select panel, second, wal, checkpoint from load_resources(newest_run('domain_operations'), 'domain_operations');

-- name: table_outcomes_other_than_success_at_once
from load_outcomes(newest_run('domain_operations'), 'domain_operations');

-- name: table_answers_refusals_and_conflicts
from load_counts(newest_run('domain_operations'), 'domain_operations', 'outcomes');

-- name: table_verification_of_domains
from load_counts(newest_run('domain_operations'), 'domain_operations', 'verification');

-- name: table_failovers
from load_counts(newest_run('domain_operations'), 'domain_operations', 'failovers');

-- name: table_quality_of_assignments
from load_counts(newest_run('domain_operations'), 'domain_operations', 'quality');

-- name: table_dns_look_ups_that_are_late
from load_counts(newest_run('domain_operations'), 'domain_operations', 'backlog');

-- name: table_statements_that_took_most_of_the_time
from load_statements(newest_run('domain_operations'), 'domain_operations');
