-- The cost of operations as the work grows. The newest run of the command `make growth`.

-- name: card
with newest as (
    select * from growth_exponents
    where run_id = (select arg_max(run_id, recorded_at) from growth_exponents)
), judged as (
    select
        run_id, operation, axis, bool_or(faster_than_logarithmic) as faster,
        max(exponent) as exponent, max("limit") as most
    from newest
    where faster_than_logarithmic is not null
    group by all
), counted as (
    select
        run_id, count(distinct operation) as operations,
        count(distinct operation) filter (faster) as faster,
        count(distinct operation) filter (faster and axis = 'tenants') as faster_with_tenants,
        count(distinct operation) filter (faster and axis = 'leads') as faster_with_leads,
        array_to_string(list_sort(list(distinct replace(operation, '_', ' ')) filter (faster)), ', ') as named,
        max(exponent) as steepest, max(most) as most
    from judged
    group by run_id
), sizes as (
    select run_id, max(multiple) as multiple, 
        sum(calls) filter (axis = 'tenants' or multiple > 1)::bigint as calls  -- the smallest is on both
    from growth
    where run_id = (select arg_max(run_id, recorded_at) from growth)
    group by run_id
)
select
    run_id, operations, faster, faster_with_tenants, faster_with_leads, steepest, most, calls,
    'What grows with the number of tenants, or of leads?' as question,
    if(faster = 0, 'Nothing that was asked', format('{} of {} operations', faster, operations)) as verdict,
    if(faster = 0, 'good', 'fair') as tone,
    format(
        '{} of {} operations grow faster than a logarithm, {} with tenants, {} with leads',
        faster, operations, faster_with_tenants, faster_with_leads
    ) as headline,
    if(faster = 0, 'no operation grows faster than a logarithm', named) as effect,
    format('Blocks and visited rows a call, in databases of up to {} times the tenants or leads each.', multiple)
        as evidence,
    format('{:,} calls, each undone. Named is an exponent whose interval lies above {:.3f}.', calls, most)
        as correctness,
    'Look first at workers that look across tenants: they ask whether or not there is anything to do.'
        as advice,
    'A table is so small that it is read as a whole, or so large that it is no longer kept in memory.' as flips
from counted join sizes using (run_id);

-- name: table_what_grows_faster_than_a_logarithm
select
    replace(operation, '_', ' ') as "operation", axis as "with", max(exponent) as "exponent",
    any_value(plan) as "plan"
from growth_exponents
where faster_than_logarithmic and run_id = (select arg_max(run_id, recorded_at) from growth_exponents)
group by all
order by max(exponent) desc, operation;

-- name: table_exponents_of_all_operations
with intervals as (
    select
        operation, axis, measure, format('{:.2f} [{:.2f}, {:.2f}]', exponent, low, high) as told
    from growth_exponents
    where run_id = (select arg_max(run_id, recorded_at) from growth_exponents)
)
select
    replace(operation, '_', ' ') as "operation", axis as "with",
    any_value(told) filter (measure = 'blocks') as "blocks",
    any_value(told) filter (measure = 'visits') as "rows visited",
    any_value(told) filter (measure = 'ms') as "ms"
from intervals
group by operation, axis
order by operation, axis;

-- name: table_cost_of_a_call
select
    replace(operation, '_', ' ') as "operation", tenants as "tenants", leads_a_tenant as "leads each",
    calls as "calls", any_value(p50_ms) as "p50, ms", any_value(blocks_per_call) as "blocks",
    any_value(visits_per_call) as "rows visited"
from growth
where run_id = (select arg_max(run_id, recorded_at) from growth)
group by all
order by "operation", tenants, leads_a_tenant;
