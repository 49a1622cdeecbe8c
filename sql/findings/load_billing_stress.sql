-- Billing under load. The workload billing_stress, its newest complete run.

-- name: card
-- Of the arm with most sessions.
with busiest as (
    select run_id, arm, sessions, tps from load_runs
    where workload = 'billing_stress' and run_id = newest_run('billing_stress') and skipped is null
    order by sessions desc
    limit 1
), times as (
    select
        max(o.p50_ms) filter (operation = 'limit_check') as check_p50_ms,
        max(o.p50_ms) filter (operation = 'unchecked') as unchecked_p50_ms,
        max(o.p95_ms) filter (operation = 'change_plan') as change_p95_ms,
        max(o.p95_ms) filter (operation = 'pay_invoices') as pay_p95_ms,
        max(o.p95_ms) filter (operation = 'revenue_report') as report_p95_ms
    from load_operations o join busiest b using (run_id, arm)
    where o.workload = 'billing_stress'
), counted as (
    select
        max(value) filter (query = 'limits' and figure = 'units_beyond_the_limit')::bigint as beyond,
        max(value) filter (query = 'limits' and figure = 'units_granted')::bigint as granted,
        max(value) filter (query = 'limits' and figure = 'units_at_the_edge')::bigint as at_edge
    from load_figures join busiest using (run_id, arm)
    where workload = 'billing_stress'
), kept as (
    select count(*) as invariants, count(*) filter (violations is distinct from 0) as broken
    from load_invariants
    where workload = 'billing_stress' and run_id = newest_run('billing_stress')
)
select
    b.run_id, b.tps, t.check_p50_ms, t.unchecked_p50_ms, t.check_p50_ms / t.unchecked_p50_ms as limit_check_ratio,
    t.change_p95_ms, t.pay_p95_ms, t.report_p95_ms,
    'What does billing cost under load, and does it stay exact?' as question,
    case when c.beyond > 0 or k.broken > 0 then 'It is not exact' else 'Exact to the unit and the cent' end as verdict,
    case when c.beyond > 0 or k.broken > 0 then 'bad' else 'good' end as tone,
    format(
        'limit check {:,.2f} ms against {:,.2f} unchecked (p50), change of plan p95 {:,.1f} ms, payments p95 {:,.1f} ms; '
        '{:,} units beyond a limit, {} of {} invariants broken',
        t.check_p50_ms, t.unchecked_p50_ms, t.change_p95_ms, t.pay_p95_ms, c.beyond, k.broken, k.invariants
    ) as headline,
    format(
        'A limit check takes {:.2f} × the same without (p50 {:,.2f} ms with {:,} sessions)',
        t.check_p50_ms / t.unchecked_p50_ms, t.check_p50_ms, b.sessions
    ) as effect,
    format(
        'p95: change of plan {:,.1f} ms, a payment run {:,.1f} ms, the revenue report {:,.1f} ms. {:,.0f} tx/s in all.',
        t.change_p95_ms, t.pay_p95_ms, t.report_p95_ms, b.tps
    ) as evidence,
    format(
        '{:,} units granted, {:,} of them at the edge of a limit, {:,} beyond it; {} invariants, {} broken.',
        c.granted, c.at_edge, c.beyond, k.invariants, k.broken
    ) as correctness,
    'Keep the counter beside the limit and change it in the statement that checks.' as advice,
    'Most of a tenant''s sessions use the same limit at once: its row is then a queue.' as flips
from busiest b cross join times t cross join counted c cross join kept k;

-- name: ranges_response_time_by_operation_and_arm
from load_ranges(newest_run('billing_stress'), 'billing_stress');

-- name: table_response_time_by_operation
from load_response_times(newest_run('billing_stress'), 'billing_stress');

-- name: table_plan_limit_check_overhead
-- The same use of a feature, with its limit and without.
select
    replace(c.arm, '_', ' ') as "arm", c.p50_ms::double as "checked p50, ms", u.p50_ms::double as "unchecked p50, ms",
    c.p50_ms / u.p50_ms as "times", c.p95_ms::double as "checked p95, ms", u.p95_ms::double as "unchecked p95, ms"
from load_operations c join load_operations u using (run_id, workload, arm)
where c.workload = 'billing_stress' and c.run_id = newest_run('billing_stress') and c.operation = 'limit_check' and u.operation = 'unchecked'
order by c.sessions;

-- name: table_subscriptions_payments_and_analytics
select
    case
        when operation in ('change_plan', 'set_add_on', 'cancel_or_resume', 'advance_subscriptions') then 'subscription modification'
        when operation in ('pay_invoices', 'refund') then 'payment processing'
        else 'billing analytics'
    end as "what", replace(operation, '_', ' ') as "operation", replace(arm, '_', ' ') as "arm", calls as "calls",
    p50_ms::double as "p50, ms", p95_ms::double as "p95, ms"
from load_operations
where workload = 'billing_stress' and run_id = newest_run('billing_stress') and operation in (
    'change_plan', 'set_add_on', 'cancel_or_resume', 'advance_subscriptions', 'pay_invoices', 'refund', 'plan_page',
    'revenue_report', 'cost_report'
)
order by 1 desc, 2, sessions;

-- name: table_throughput_and_what_it_took
-- CPU in percent of one core.
from load_throughput(newest_run('billing_stress'), 'billing_stress');

-- name: curve_throughput_against_p95_by_sessions
-- The newest of each arm, also of a sweep; the knee is where throughput over p95 is greatest.
select series, tps, "p95, ms", knee, label from load_curve_points('billing_stress');

-- name: lines_response_time_over_seconds_in_milliseconds
from load_seconds(newest_run('billing_stress'), 'billing_stress');

-- name: areas_sessions_at_work_by_what_they_waited_for
from load_waits(newest_run('billing_stress'), 'billing_stress');

-- name: lines_processor_time_over_seconds_in_percent_of_one_core
select panel, second, server, client from load_resources(newest_run('billing_stress'), 'billing_stress');

-- name: lines_memory_of_the_server_over_seconds_in_megabytes
select panel, second, memory from load_resources(newest_run('billing_stress'), 'billing_stress');

-- name: lines_write_ahead_log_over_seconds_in_megabytes_a_second
select panel, second, wal, checkpoint from load_resources(newest_run('billing_stress'), 'billing_stress');

-- name: table_outcomes_other_than_success_at_once
from load_outcomes(newest_run('billing_stress'), 'billing_stress');

-- name: table_answers_and_refusals
from load_counts(newest_run('billing_stress'), 'billing_stress', 'outcomes');

-- name: table_subscription_changes_by_kind
from load_counts(newest_run('billing_stress'), 'billing_stress', 'modifications');

-- name: table_payments_by_outcome
from load_counts(newest_run('billing_stress'), 'billing_stress', 'payments');

-- name: table_limits_at_their_edge
from load_counts(newest_run('billing_stress'), 'billing_stress', 'limits');

-- name: table_what_is_due_and_undone
from load_counts(newest_run('billing_stress'), 'billing_stress', 'backlog');

-- name: table_statements_that_took_most_of_the_time
from load_statements(newest_run('billing_stress'), 'billing_stress');
