-- Isolation under load. Each transaction of the workload asserts its own isolation. From the newest
-- run, complete or not, since a failed assertion ends its client.

-- name: card
with summed as (
    select
        run_id, max(sessions) as sessions, sum(transactions)::bigint as transactions,
        sum(aborted)::bigint as aborted, sum(seconds) as seconds, bool_and(complete) as complete
    from load_runs
    where workload = 'tenant_isolation' and run_id = (
        select arg_max(run_id, recorded_at) from load_runs where workload = 'tenant_isolation'
    )
    group by run_id
)
select
    run_id, sessions, transactions, aborted,
    'Does isolation hold under concurrent load?' as question,
    case when aborted > 0 then 'Clients aborted' when not complete then 'Not proven' else 'It holds' end
        as verdict,
    case when aborted > 0 then 'bad' when not complete then 'fair' else 'good' end as tone,
    format(
        '{:,} transactions by up to {:,} sessions at once, {} clients aborted',
        transactions, sessions, aborted
    ) as headline,
    format('{} clients aborted in {:,} transactions', aborted, transactions) as effect,
    format('Up to {:,} sessions at once, {:.0f} s of load in all.', sessions, seconds) as evidence,
    'Every transaction asks, without a tenant filter, for rows of others, and aborts if it sees one.'
        as correctness,
    'Set the tenant for the transaction, never for the session.' as advice,
    'A context set for the session goes through a pool of transactions.' as flips
from summed;

-- name: table_transactions_that_asserted_their_isolation
select
    sessions as "sessions", transactions as "transactions", aborted as "clients aborted",
    failed as "failed", seconds as "seconds", if(complete, 'yes', 'no') as "complete"
from load_runs
where workload = 'tenant_isolation' and run_id = (
    select arg_max(run_id, recorded_at) from load_runs where workload = 'tenant_isolation'
)
order by sessions;
