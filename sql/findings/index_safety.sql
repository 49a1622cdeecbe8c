-- Whether row level security takes indexes away. From the newest run.

-- name: card
with counted as (
    select
        run_id, count(*) as used,
        count(*) filter (not safe) as lost,
        count(*) filter (safe and lost <> '') as chosen,
        count(distinct index_platform) as indexes,
        count(distinct source) as sources,
        count(distinct operators) filter (operators <> '') as operators
    from index_safety
    where run_id = (select arg_max(run_id, recorded_at) from index_safety)
    group by run_id
)
select
    run_id, used, lost, chosen,
    'Does row level security take indexes away?' as question,
    case when lost > 0 then 'It does' else 'It does not' end as verdict,
    case when lost > 0 then 'bad' else 'good' end as tone,
    format('{:,} uses of {} indexes compared, {} lost', used, indexes, lost) as headline,
    format('{} of {:,} uses of an index lost', lost, used) as effect,
    format(
        'Plans of {} operations and scripts, as the application and as a role that sees everything; in {} the planner chose another index as good.',
        sources, chosen
    ) as evidence,
    format(
        'Conditions are compared by operator and column of the index, in the planner''s own trees; {} predicates that are not leakproof only filter what an index found.',
        operators
    ) as correctness,
    'Look up by leakproof operators: text with a check in place of an enum, a stored column in place of lower().' as advice,
    'A statement looks up a numeric, enum or array column, or an expression, in an index.' as flips
from counted;

-- name: table_predicates_that_are_not_leakproof
select
    if(safe, 'filters', 'loses the index') as "effect",
    source as "source", relation as "relation", index_platform as "index",
    if(safe, operators, lost) as "operators"
from index_safety
where run_id = (select arg_max(run_id, recorded_at) from index_safety)
    and (not safe or operators <> '')
group by all
order by "effect" desc, "source", "relation";
