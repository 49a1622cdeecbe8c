-- The cost of row level security. The experiment rls_cost, its newest complete run.

-- name: card
-- The operation that is shown is the dearest of those that are different, else the dearest of all.
with newest as (
    select * from experiment_variants
    where experiment = 'rls_cost' and run_id = (
        select arg_max(run_id, recorded_at) from experiments
        where experiment = 'rls_cost' and complete
    )
), secured as (
    select
        *, verdict = 'different' and ratio > 1 as dearer,
        count(*) filter (verdict = 'different') over () as different,
        count(*) filter (verdict = 'equivalent') over () as equivalent,
        count(*) filter (verdict = 'inconclusive') over () as inconclusive
    from newest where variant = 'rls_and_filter'
    order by dearer desc, ratio desc
    limit 1
), unfiltered as (
    select *, verdict = 'different' and ratio > 1 as dearer
    from newest where variant = 'rls_alone'
    order by dearer desc, ratio desc
    limit 1
), noise as (
    select max(noise) as noise from newest
)
select
    s.run_id, s.ratio, s.low, s.high, n.noise, u.ratio as ratio_without_filter,
    'What does row level security cost?' as question,
    case
        when s.dearer then format('Up to {:.0f} %', 100 * (s.ratio - 1))
        when s.inconclusive > 0 then 'Too little to tell'
        else 'Nothing that matters'
    end as verdict,
    case
        when s.dearer and s.ratio > 1.25 then 'bad'
        when s.dearer or s.inconclusive > 0 then 'fair'
        else 'good'
    end as tone,
    format(
        '{:.2f}x [{:.2f}, {:.2f}] for {} ({}); {} different, {} equivalent, {} inconclusive',
        s.ratio, s.low, s.high, replace(s.operation, '_', ' '), s.verdict, s.different,
        s.equivalent, s.inconclusive
    ) as headline,
    format(
        '{:.2f} × [{:.2f}, {:.2f}] for {}', s.ratio, s.low, s.high, replace(s.operation, '_', ' ')
    ) as effect,
    format(
        'Operations: {} different, {} equivalent, {} inconclusive. {:,.1f} blocks a call, {:,.1f} without.',
        s.different, s.equivalent, s.inconclusive, s.blocks_per_call, s.baseline_blocks_per_call
    ) as evidence,
    format('Identical scripts, mixed in the same run, came out within {:.1f} %.', 100 * n.noise)
        as correctness,
    case
        when u.dearer then format(
            'Name the tenant in every statement too: without it, {} took {:.2f} ×.',
            replace(u.operation, '_', ' '), u.ratio
        )
        when u.verdict = 'equivalent' then 'Naming the tenant in each statement too cost nothing.'
        else 'Name the tenant in each statement too; what that saves, this run cannot tell.'
    end as advice,
    'A predicate is not leakproof, and so cannot use its index.' as flips
from secured s cross join unfiltered u cross join noise n;

-- name: forest_time_of_each_operation_against_the_same_without_row_level_security
select
    case variant
        when 'rls_and_filter' then 'RLS and filter'
        when 'rls_alone' then 'RLS alone'
        else 'no RLS, again'
    end as variant,
    replace(operation, '_', ' ') as operation, ratio, low, high, max(noise) over () as noise
from experiment_variants
where experiment = 'rls_cost' and run_id = (
    select arg_max(run_id, recorded_at) from experiments where experiment = 'rls_cost' and complete
)
order by list_position(['rls_and_filter', 'rls_alone'], experiment_variants.variant), 2;

-- name: table_times_and_blocks
select
    if(variant = 'rls_alone', 'RLS alone', 'RLS and filter') as "variant",
    replace(operation, '_', ' ') as "operation", p50_ms as "p50, ms",
    baseline_p50_ms as "no RLS, ms", blocks_per_call as "blocks a call",
    baseline_blocks_per_call as "no RLS, blocks", verdict as "verdict"
from experiment_variants
where experiment = 'rls_cost' and variant in ('rls_alone', 'rls_and_filter') and run_id = (
    select arg_max(run_id, recorded_at) from experiments where experiment = 'rls_cost' and complete
)
order by 1 desc, 2;
