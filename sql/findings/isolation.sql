-- Attacks on the isolation of tenants. From the newest run on the lab's own database.

-- name: card
with newest as (
    select * from isolation_probes
    where run_id = (select arg_max(run_id, recorded_at) from isolation_probes where subject = 'the lab')
), counted as (
    select
        run_id, count(*) filter (outcome <> 'not applicable') as probes,
        count(*) filter (outcome = 'leaked') as leaks,
        count(*) filter (outcome = 'not proven') as not_proven,
        count(*) filter (outcome = 'not applicable') as not_applicable,
        count(*) filter (outcome = 'held' and detail like '42501%') as refused,
        count(*) filter (outcome = 'held' and attack = 'row_security') as forced,
        count(distinct table_name) filter (role <> 'any') as tables,
        count(distinct split_part(attack, ' ', 1)) filter (
            role <> 'any' and attack not in ('any', 'sees its own')
        ) as attacks,
        count(distinct split_part(way, ' ', 1)) filter (role <> 'any' and way <> '') as ways,
        count(distinct role) filter (role <> 'any') as roles
    from newest
    group by run_id
)
select
    run_id, probes, leaks, not_proven, not_applicable,
    'Can one tenant reach another tenant''s rows?' as question,
    case
        when leaks > 0 then 'It can'
        when not_proven > 0 then 'Not proven everywhere'
        else 'It cannot'
    end as verdict,
    case when leaks > 0 then 'bad' when not_proven > 0 then 'fair' else 'good' end as tone,
    format('{:,} probes, {} leaks, {} not proven', probes, leaks, not_proven) as headline,
    format('{} leaks in {:,} probes, {} not proven', leaks, probes, not_proven) as effect,
    format(
        '{} kinds of attack by {} ways in, as {} roles, on {} tables and views; {:,} were refused outright.',
        attacks, ways, roles, tables, refused
    ) as evidence,
    format(
        'Row level security is forced, with a policy, on {} tables; by each way in the attacker sees its own rows.',
        forced
    ) as correctness,
    'Take the tables to attack from the catalog, so that none can be forgotten.' as advice,
    'The application''s role owns a table, or may bypass row level security.' as flips
from counted;

-- name: matrix_probes_by_table_and_attack
select
    table_name as "row", replace(split_part(attack, ' ', 1), '_', ' ') as "column",
    case
        when bool_or(outcome = 'leaked') then 'leaked'
        when bool_or(outcome = 'not proven') then 'not proven'
        when bool_or(outcome = 'held') then 'held'
        else 'not applicable'
    end as outcome
from isolation_probes
where run_id = (select arg_max(run_id, recorded_at) from isolation_probes where subject = 'the lab')
    and role <> 'any' and attack not in ('sees its own', 'any')
group by 1, 2
order by 1, 2;

-- name: matrix_probes_by_way_and_role
select
    replace(split_part(way, ' ', 1), '_', ' ') as "row", role as "column",
    case
        when bool_or(outcome = 'leaked') then 'leaked'
        when bool_or(outcome = 'not proven') then 'not proven'
        when bool_or(outcome = 'held') then 'held'
        else 'not applicable'
    end as outcome
from isolation_probes
where run_id = (select arg_max(run_id, recorded_at) from isolation_probes where subject = 'the lab')
    and role <> 'any' and way <> ''
group by 1, 2
order by 1, 2;

-- name: table_what_the_catalog_must_say
select
    replace(attack, '_', ' ') as "rule", count(*) as "judged",
    count(*) filter (outcome = 'leaked') as "broken",
    coalesce(string_agg(table_name || ': ' || detail, '; ') filter (outcome = 'leaked'), '-') as "how"
from isolation_probes
where run_id = (select arg_max(run_id, recorded_at) from isolation_probes where subject = 'the lab')
    and role = 'any'
group by 1
order by 1;

-- name: table_what_is_not_applicable
select detail as "reason", count(*) as "attacks", string_agg(distinct role, ', ' order by role) as "as"
from isolation_probes
where run_id = (select arg_max(run_id, recorded_at) from isolation_probes where subject = 'the lab')
    and outcome = 'not applicable'
group by 1
order by 2 desc, 1;

-- name: table_probes_that_did_not_hold
select
    table_name as "table", attack as "attack", way as "way in", role as "as", outcome as "outcome",
    detail as "detail"
from isolation_probes
where outcome in ('leaked', 'not proven')
    and run_id = (select arg_max(run_id, recorded_at) from isolation_probes where subject = 'the lab')
order by outcome, table_name, attack, way
limit 50;
