-- The metamorphic oracle. Generated queries, under row level security and with explicit filters. From
-- the newest run on the lab's own database.

-- name: card
select
    run_id, queries, queries / seconds as queries_per_second, non_empty / queries as non_empty,
    differing / greatest(unfiltered, 1) as power, dropped,
    'Does row level security do what explicit filters would?' as question,
    case
        when failure is not null then 'It does not'
        when 2 * differing < unfiltered or 20 * dropped > queries then 'Too little to tell'
        else 'It does'
    end as verdict,
    case
        when failure is not null then 'bad'
        when 2 * differing < unfiltered or 20 * dropped > queries then 'fair'
        else 'good'
    end as tone,
    format(
        '{:,} queries of seed {}, {} differ, {} dropped', queries, seed,
        if(failure is null, 'none', 'one'), dropped
    ) as headline,
    coalesce(
        'Differs: ' || failure::varchar,
        format('{:,} generated queries saw the same rows either way', queries)
    ) as effect,
    format(
        'Queries of {} forms over {} tables, {:,.0f}/s; {:.0f} % returned rows.',
        (select count(*) from oracle_queries f where f.run_id = o.run_id and f.kind = 'feature'),
        (select count(*) from oracle_queries f where f.run_id = o.run_id and f.kind = 'table'),
        queries / seconds, 100 * non_empty / queries
    ) as evidence,
    format(
        'Asked without any filter, {:,} of {:,} gave other rows: so much would have been noticed.',
        differing, unfiltered
    ) as correctness,
    'Compare what a policy leaves with what a filter leaves, over queries that nobody chose.'
        as advice,
    'A policy says anything but tenant_id = the tenant in context.' as flips
from oracle_queries o
where kind = 'run' and run_id = (
        select arg_max(run_id, recorded_at) from oracle_queries where subject = 'the lab'
    );

-- name: table_queries_by_feature
select
    name as "feature", queries as "queries", non_empty as "with rows", unfiltered as "unfiltered",
    differing as "of them other", dropped as "dropped"
from oracle_queries
where kind in ('feature', 'context')
    and run_id = (
        select arg_max(run_id, recorded_at) from oracle_queries where subject = 'the lab'
    )
order by kind, name;

-- name: table_queries_by_table
select
    name as "table", queries as "queries", non_empty as "with rows", unfiltered as "unfiltered",
    differing as "of them other", dropped as "dropped"
from oracle_queries
where kind = 'table' and run_id = (
        select arg_max(run_id, recorded_at) from oracle_queries where subject = 'the lab'
    )
order by name;
