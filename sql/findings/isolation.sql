-- Attacks on the isolation of tenants. From the newest run.

-- name: card
with counted as (
    select
        run_id, count(*) as probes,
        count(*) filter (outcome = 'leaked') as leaks,
        count(*) filter (outcome = 'not proven') as not_proven,
        count(*) filter (outcome = 'held' and detail like '42501%') as refused,
        count(*) filter (outcome = 'held' and attack = 'structure') as forced,
        count(distinct table_name) as tables,
        count(distinct split_part(attack, ' ', 1)) as attacks
    from isolation_probes
    where run_id = (select arg_max(run_id, recorded_at) from isolation_probes)
    group by run_id
)
select
    run_id, probes, leaks, not_proven,
    'Can one tenant reach another tenant''s rows?' as question,
    case
        when leaks > 0 then 'It can'
        when not_proven > 0 then 'Not proven everywhere'
        else 'It cannot'
    end as verdict,
    case when leaks > 0 then 'bad' when not_proven > 0 then 'fair' else 'good' end as tone,
    format('{:,} probes, {} leaks, {} not proven', probes, leaks, not_proven) as headline,
    format('{} leaks in {:,} probes, {} not proven', leaks, probes, not_proven) as effect,
    format('{} kinds of attack on {} tables; {:,} were refused outright.', attacks, tables, refused)
        as evidence,
    format('Row level security is forced, with a policy, on {} of {} tables.', forced, tables)
        as correctness,
    'Take the tables to attack from the catalog, so that none can be forgotten.' as advice,
    'The application''s role owns a table, or may bypass row level security.' as flips
from counted;

-- name: matrix_probes_by_table_and_attack
select
    table_name as "row", replace(split_part(attack, ' ', 1), '_', ' ') as "column",
    case
        when bool_or(outcome = 'leaked') then 'leaked'
        when bool_or(outcome = 'not proven') then 'not proven'
        else 'held'
    end as outcome
from isolation_probes
where run_id = (select arg_max(run_id, recorded_at) from isolation_probes)
group by 1, 2
order by 1, 2;

-- name: table_probes_that_did_not_hold
select table_name as "table", attack as "attack", outcome as "outcome", detail as "detail"
from isolation_probes
where outcome <> 'held'
    and run_id = (select arg_max(run_id, recorded_at) from isolation_probes)
order by outcome, table_name, attack;
