-- Mutants, which break isolation on purpose. From the newest run.

-- name: card
with counted as (
    select
        run_id, count(*) as mutants, count(*) filter (caught) as caught,
        count(*) filter (caught and role = 'any') as by_rule, sum(seconds) as seconds
    from isolation_mutants
    where mutant <> 'none'
        and run_id = (select arg_max(run_id, recorded_at) from isolation_mutants)
    group by run_id
)
select
    run_id, mutants, caught, by_rule, seconds,
    'Would the attacks notice if isolation broke?' as question,
    if(caught = mutants, 'They would', 'Not always') as verdict,
    if(caught = mutants, 'good', 'bad') as tone,
    format('{} of {} mutants caught', caught, mutants) as headline,
    format('{} of {} mutants caught', caught, mutants) as effect,
    format(
        '{} by a statement that got through, {} by a rule over the catalog; in {:.0f} s.',
        caught - by_rule, by_rule, seconds
    ) as evidence,
    'The same attacks on the database as it is find nothing.' as correctness,
    'For each hole that you fear, add a mutant first: a suite that never fails proves nothing.' as advice,
    'A mutant survives: then an attack is missing.' as flips
from counted;

-- name: table_mutants
select
    replace(mutant, '_', ' ') as "mutant", if(caught, 'caught', 'SURVIVED') as "outcome",
    coalesce(replace(attack, '_', ' '), '-') as "by", coalesce(replace(way, '_', ' '), '-') as "way in",
    coalesce(role, '-') as "as", description as "what it breaks"
from isolation_mutants
where mutant <> 'none'
    and run_id = (select arg_max(run_id, recorded_at) from isolation_mutants)
order by caught, mutant;
