-- Authentication over tenants. Who may do what, step by step, and what it costs. From the newest run.

-- name: card
with newest as (select arg_max(run_id, recorded_at) as run_id from authentication_steps),
steps as (
    select
        run_id,
        count(*) filter (kind = 'refused') as refusals,
        count(*) filter (kind = 'allowed') as allowances,
        count(*) filter (not as_expected) as wrong
    from authentication_steps semi join newest using (run_id)
    group by run_id
), requests as (
    select
        run_id,
        max(ms) filter (way = 'bare') as bare_ms,
        max(ms) filter (way = 'admitted') as admitted_ms,
        max(ratio) filter (way = 'admitted') as admitted_ratio,
        max(low) filter (way = 'admitted') as admitted_low,
        max(high) filter (way = 'admitted') as admitted_high,
        max(ratio) filter (way = 'in_context') as context_ratio
    from authentication_requests semi join newest using (run_id)
    group by run_id
), log_ins as (
    select run_id, max(cost) as highest_cost, arg_max(log_ins_per_s, cost) as log_ins_per_s
    from authentication_log_ins semi join newest using (run_id)
    group by run_id
)
select
    run_id, refusals, wrong, admitted_ms, admitted_ratio, log_ins_per_s,
    'What is the way to authenticate users who belong to several tenants?' as question,
    if(wrong > 0, 'It lets through or locks out', 'One log-in, membership asked at every statement') as verdict,
    if(wrong > 0, 'bad', 'good') as tone,
    format(
        '{} of {:,} refusals and {:,} allowances went wrong; a request takes {:.2f} ms where a bare query takes {:.2f}',
        if(wrong = 0, 'none', format('{:,}', wrong)), refusals, allowances, admitted_ms, bare_ms
    ) as headline,
    format(
        'Asking whose session it is and whether they still belong to the tenant makes a transaction of one look-up {:.1f} × [{:.1f}, {:.1f}] '
        'as long; entering a tenant that is believed, {:.1f} ×.',
        admitted_ratio, admitted_low, admitted_high, context_ratio
    ) as effect,
    format(
        'Sign-up, log-in, invites, switches, roles in two tenants and revocation in real sessions. At bcrypt''s cost {} one core does {:,.1f} log-ins/s.',
        highest_cost, log_ins_per_s
    ) as evidence,
    'Who is removed is refused at the next statement of an open transaction. Tests show that the walk notices a service that '
        'believes the tenant of a request, asks once a transaction, or keeps tokens as they are.' as correctness,
    'Let a session say who, never where: take the tenant from the request and look the membership up each time. Keep digests of tokens, '
        'count attempts before hashing, and hash outside of transactions.' as advice,
    'Requests of a few tenths of a millisecond by the thousand: then remember who was admitted for a second, which is how much longer a removed member stays.' as flips
from steps join requests using (run_id) join log_ins using (run_id);

-- name: table_steps
select part as "part", step as "step", expected as "expected", got as "got"
from authentication_steps
where run_id = (select arg_max(run_id, recorded_at) from authentication_steps)
order by number;

-- name: table_log_ins
select cost as "bcrypt's cost", log_ins_per_s as "log-ins/s of one core", 1000 / log_ins_per_s as "ms each"
from authentication_log_ins
where run_id = (select arg_max(run_id, recorded_at) from authentication_steps)
order by cost;

-- name: table_a_transaction_of_one_look_up
select
    case way when 'bare' then 'the look-up alone' when 'in_context' then 'in a tenant''s context, which is believed'
             else 'admitted: session and membership asked first' end as "way",
    ms as "ms", ratio as "×", format('{:.2f} to {:.2f}', low, high) as "95 % of it"
from authentication_requests
where run_id = (select arg_max(run_id, recorded_at) from authentication_steps)
order by ms;
