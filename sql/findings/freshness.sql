-- Fresh figures and what they cost the OLTP. The experiment freshness, its newest run.

-- name: card
with ways as (
    select * from freshness_ways()
), live as (
    select * from ways where way = 'live'
), batch as (
    select * from ways where way = 'batch' and not reckoned
), seldom as (
    select * from ways where way = 'batch' order by every_s desc limit 1
), report as (
    select
        *, p95_verdict::varchar = 'different' and p95_ratio::double > 1 as harms,
        format('{:,.0f} ms in the OLTP, {:,.1f} ms on the mart', 1000 * piece_p50_s, 1000 * mart_s::double) as times
    from ways where way = 'report' and not reckoned
)
select
    b.run_id, l.p95_ratio::double as live_p95_ratio, b.p95_ratio::double as sync_p95_ratio, r.p95_ratio::double as report_p95_ratio,
    r.piece_p50_s as report_oltp_s, r.mart_s::double as report_mart_s, s.core_share as scheduled_core_share,
    b.p95_noise::double as noise, b.turns,
    'Should the OLTP handle analytics, or delegate to specialized systems?' as question,
    case
        when r.run_id is null or b.p95_noise is null then 'Too little was measured'
        when r.harms then 'Counters here, reports elsewhere'
        when r.piece_p50_s > 3 * r.mart_s::double then 'Delegate reports: they are faster there'
        else 'The OLTP can do both, at this size'
    end as verdict,
    case
        when r.run_id is null or b.p95_noise is null or b.p95_ratio::double > 1.5 then 'fair' else 'good'
    end as tone,
    coalesce(format(
        'p95 {:.2f}x{} with the live view, {:.2f}x{} while everything is synced without a pause',
        l.p95_ratio::double, coalesce(format(' [{:.2f}, {:.2f}]', l.p95_low::double, l.p95_high::double), ''),
        b.p95_ratio::double, coalesce(format(' [{:.2f}, {:.2f}]', b.p95_low::double, b.p95_high::double), '')
    ), 'too few transactions') || coalesce(format(', {:.2f}x beside a report ({})', r.p95_ratio::double, r.times), '') as headline,
    coalesce(
        format('A report: {}; beside it, p95 {:.2f} ×.', r.times, r.p95_ratio::double),
        format('p95 {:.2f} × with the live view.', l.p95_ratio::double), 'Too few transactions.')
        as effect,
    format(
        'A sync with its marts: {:.2f} s, {:,.0f} rows, {:.2f} s of CPU in its process and {:.2f} s in the server: '
        '{:.1f} % of a core {}. The live view: {:.0f} ms.',
        b.piece_p50_s, b.rows_a_piece, b.process_cpu_s, coalesce(b.server_s::double, 0), 100 * s.core_share, s.interval,
        1000 * l.piece_p50_s
    ) as evidence,
    format('{} turns at {:g} transactions/s', b.turns, b.rate::double)
        || coalesce(format('; with nothing beside, twice, p95 within {:.0f} %', 100 * b.p95_noise::double), '')
        || case r.mart_equals::boolean
            when true then '; OLTP and mart gave the report the same answer.'
            when false then '; OLTP and mart DIFFER in the report.'
            else '.'
        end as correctness,
    'Show the last minutes from the live view, and anything over many rows from the marts, synced as often as the '
        'plot says it is worth.' as advice,
    'Reports are few and tenants small, or figures must be as of the same transaction.' as flips
from batch b cross join seldom s cross join live l left join report r on true;

-- name: tradeoff_how_far_behind_figures_are_and_what_they_cost_the_campaign_workload
from freshness_points();

-- name: table_each_way_of_having_fresh_figures
select
    told as "way", interval || if(reckoned, ', reckoned', '') as "when", behind_s as "behind, s", p95_ratio::double as "p95 ×",
    coalesce(format('{:.2f} to {:.2f}', p95_low::double, p95_high::double), '') as "95 % of it",
    coalesce(p95_verdict::varchar, '') as "verdict", 100 * core_share as "of a core, %"
from freshness_ways()
order by told, every_s;

-- name: table_one_piece_of_work_of_each
select
    told as "way", piece_p50_s as "p50, s", rows_a_piece as "rows", process_cpu_s::double as "CPU, s",
    process_memory_mb::double as "MB", server_s::double as "server, s", blocks::double as "blocks",
    wal_bytes::double / 1024 as "WAL, kB", mart_s::double as "on the mart, s"
from freshness_ways()
where not reckoned
order by told;
