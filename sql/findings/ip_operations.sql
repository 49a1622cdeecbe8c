-- SMTP addresses. A month of warm-up and a storm of failures, and who had which address. From the newest run.

-- name: card
select
    run_id, mails, conflicts, doomed, replaced, "without", wrong, allocation_p95_ms, outage_longest_ms,
    'How is an address assigned, warmed up and replaced when many want it and many fail at once?' as question,
    case when wrong > 0 then 'Not like this' when doomed = 0 or conflicts = 0 then 'Too little to tell'
         else 'By a row lock, in the database' end as verdict,
    case when wrong > 0 then 'bad' when doomed = 0 or conflicts = 0 then 'fair' else 'good' end as tone,
    format(
        '{:,} of {:,} addresses failed at once: {:,} replaced, {:,} told that none is free, {:,} recovered; {} of the promises broken',
        doomed, assigned, replaced, "without" + suspended, recovered, if(wrong = 0, 'none', format('{:,} times one', wrong))
    ) as headline,
    format(
        'Half of them after {:.0f} ms, the last after {:.0f} ms, while mail went on and {:,} sessions shared the work; they met at an address {:,} times.',
        outage_p50_ms, outage_longest_ms, sessions, met
    ) as effect,
    format(
        '{:,} mails over {:,} days filled what the warm-up of {:,} addresses allows ({:,}), two sessions each. {:,} sessions raced for '
        'addresses: {:,} were refused, {:,.0f} allocations/s, 95 % within {:.1f} ms.',
        mails, days, warmed, allowed, sessions, conflicts, allocations_per_s, allocation_p95_ms
    ) as evidence,
    'Seven queries ask the tables afterwards: caps, owners, bands, who was told, what is dead, who is left behind, what was given up. Tests show that each finds its damage.'
        as correctness,
    'Assign by skipping what is locked, replace address by address, and give who finds none the reason. Judge reputation on at least '
        'fifty mails or twenty bounces, and go up one band after a clean week.' as advice,
    'Spare addresses for fewer than fail together: then it is the warm-up of new ones that takes weeks, and no failover shortens it.' as flips
from ip_operations
where run_id = (select arg_max(run_id, recorded_at) from ip_operations);

-- name: table_what_came_of_it
select stage as "stage", operation as "operation", outcome as "outcome", calls as "calls"
from ip_outcomes
where run_id = (select arg_max(run_id, recorded_at) from ip_operations)
order by stage, operation, calls desc, outcome;

-- name: table_bands
select
    "case" as "in a week", sent as "sent", bounces as "bounced", complaints as "complaints", intended as "deserves",
    band as "band", after_a_clean_week as "after a clean week"
from ip_bands
where run_id = (select arg_max(run_id, recorded_at) from ip_operations)
order by complaints > 0, bounces::double / sent + complaints::double / sent, sent desc;
