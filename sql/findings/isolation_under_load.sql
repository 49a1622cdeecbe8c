-- Isolation under load. Each transaction of the workload asserts its own isolation, and so does each
-- statement of clients that switch tenants amid errors, cancels and lost sessions. From the newest run
-- of each, complete or not, since a failed assertion ends its client.

-- name: card
with summed as (
    select
        max(sessions) as sessions, sum(transactions)::bigint as transactions,
        sum(aborted)::bigint as aborted, sum(seconds) as seconds, bool_and(complete) as complete
    from load_runs
    where workload = 'tenant_isolation' and run_id = (
        select arg_max(run_id, recorded_at) from load_runs where workload = 'tenant_isolation'
    )
), clients as (
    select
        max(run_id) as run_id, sum(assertions)::bigint as assertions, sum(leaks)::bigint as leaks,
        sum(control_leaks)::bigint as control_leaks, sum(switches)::bigint as switches,
        sum(errors + cancels + reconnects)::bigint as disturbances,
        count(*) filter (skipped is null) as arms,
        count(*) filter (skipped is null and (assertions = 0 or control_leaks < controls)) as unproven
    from isolation_load
    where run_id = (select arg_max(run_id, recorded_at) from isolation_load)
)
select
    c.run_id, s.sessions, s.transactions, s.aborted, c.assertions, c.leaks, c.control_leaks,
    'Does isolation hold under concurrent load?' as question,
    case
        when c.leaks > 0 then 'It leaks'
        when s.aborted > 0 then 'Clients aborted'
        when not s.complete or c.unproven > 0 or c.arms = 0 then 'Not proven'
        else 'It holds'
    end as verdict,
    case
        when c.leaks > 0 or s.aborted > 0 then 'bad'
        when not s.complete or c.unproven > 0 or c.arms = 0 then 'fair'
        else 'good'
    end as tone,
    format(
        '{:,} transactions by up to {:,} sessions at once, {} clients aborted; {:,} assertions amid '
        '{:,} errors, cancels and reconnects, {} leaks',
        s.transactions, s.sessions, s.aborted, c.assertions, c.disturbances, c.leaks
    ) as headline,
    format(
        '{} clients aborted in {:,} transactions, {} leaks in {:,} assertions',
        s.aborted, s.transactions, c.leaks, c.assertions
    ) as effect,
    format(
        'Up to {:,} sessions at once, {:.0f} s of load in all; {} ways in, {:,} switches of tenant.',
        s.sessions, s.seconds, c.arms, c.switches
    ) as evidence,
    format(
        'Each assertion looks without a tenant filter. A context set for the session leaked {} times.',
        c.control_leaks
    ) as correctness,
    'Set the tenant for the transaction, never for the session.' as advice,
    'A context set for the session goes through a pool of transactions.' as flips
from summed s cross join clients c
where c.run_id is not null and s.sessions is not null;

-- name: table_transactions_that_asserted_their_isolation
select
    sessions as "sessions", transactions as "transactions", aborted as "clients aborted",
    failed as "failed", seconds as "seconds", if(complete, 'yes', 'no') as "complete"
from load_runs
where workload = 'tenant_isolation' and run_id = (
    select arg_max(run_id, recorded_at) from load_runs where workload = 'tenant_isolation'
)
order by sessions;

-- name: table_clients_that_switch_tenants_amid_errors
select
    replace(arm, '_', ' ') as "way in", sessions as "sessions", users as "users",
    assertions as "asserted", switches as "switches", errors + cancels as "errors",
    reconnects as "reconnects", leaks as "leaks",
    coalesce('left out: ' || skipped, format('{} of {}', control_leaks, controls))
        as "controls leaked"
from isolation_load
where run_id = (select arg_max(run_id, recorded_at) from isolation_load)
order by 1;

-- name: table_leaks
-- The first of each way in.
select
    replace(arm, '_', ' ') as "way in", role as "role", leaked_statement as "statement",
    leaked_expected as "expected", leaked_seen as "seen"
from isolation_load
where leaks > 0 and run_id = (select arg_max(run_id, recorded_at) from isolation_load)
order by 1;

-- name: table_asserted_transactions_accumulated
-- Every run of `make soak` in this lab home.
select
    sessions as "sessions", transactions as "transactions", aborted as "clients aborted",
    round(tps) as "transactions/s", seconds as "seconds", if(complete, 'yes', 'no') as "complete"
from load_runs
where workload = 'isolation_soak'
order by recorded_at;
