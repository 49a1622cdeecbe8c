-- DNS verification. What the verifier made of zones that are wrong in known ways. From the newest run.

-- name: card
with newest as (select arg_max(run_id, recorded_at) as run_id from dns_rounds),
rounds as (
    select
        run_id,
        max(domains)::bigint as domains,
        max(records)::bigint as records,
        arg_max(lookups_per_s, records) as lookups_per_s,
        arg_max(recording_s / seconds, records) as recording_share,
        max(longest_transaction_s) * 1000 as longest_transaction_ms,
        sum(unanswered)::bigint as unanswered,
        max(drifts)::bigint as drifts, max(verified)::bigint as verified, max(failing)::bigint as failing,
        max(claimants)::bigint as claimants, max(stolen)::bigint as stolen, max(wrong)::bigint as wrong,
        max(total_s) as total_s
    from dns_rounds semi join newest using (run_id)
    group by run_id
), cases as (
    select run_id, count(*) as cases, count(distinct "case") filter (intended = 'invalid') as invalid_cases
    from dns_cases semi join newest using (run_id)
    group by run_id
)
select
    run_id, domains, records, cases, wrong, stolen, lookups_per_s, longest_transaction_ms,
    'Does what is published in DNS decide, and only that?' as question,
    case when wrong + stolen > 0 then 'It does not' when invalid_cases = 0 then 'Too little to tell' else 'It does' end as verdict,
    case when wrong + stolen > 0 then 'bad' when invalid_cases = 0 then 'fair' else 'good' end as tone,
    format(
        '{:,} records of {:,} domains in {:,} cases: {} verdict, status, drift or date is wrong; {:,.0f} look-ups/s',
        records, domains, cases, if(wrong = 0, 'no', format('{:,}', wrong)), lookups_per_s
    ) as headline,
    format(
        'Of {:,} names that another tenant claimed, {} were given away; {:,} look-ups had no answer and took no domain its status; {:,} drifts were told.',
        claimants, if(stolen = 0, 'none', format('{:,}', stolen)), unanswered, drifts
    ) as effect,
    format(
        'All domains looked up twice, the zones replaced meanwhile, what had no answer once more between, in {:.1f} s; noting the answers ran beside for {:.0f} % of the time, its longest transaction took {:.0f} ms.',
        total_s, 100 * recording_share, longest_transaction_ms
    ) as evidence,
    'Each verdict is compared with the case that its record was made by; a record that changes while it is looked up may be seen either way, once.'
        as correctness,
    'Claim, ask and note apart: no transaction is open while DNS is asked. A look-up without answer is noted and asked again soon, and changes no status.'
        as advice,
    'Domains that take longer to look up than a claim lasts (15 minutes): two workers would ask for them.' as flips
from rounds join cases using (run_id);

-- name: table_rounds
select
    round as "round", domains as "domains", records as "records", lookups as "look-ups", unanswered as "without answer",
    seconds as "s", lookups_per_s as "look-ups/s", batches as "batches noted", longest_transaction_s * 1000 as "longest ms"
from dns_rounds
where run_id = (select arg_max(run_id, recorded_at) from dns_rounds)
order by recorded_at, round <> 'while zones change', round = 'all anew';

-- name: table_cases
select
    kind as "record", "case" as "published as", intended as "deserves", records as "records",
    as_intended as "so judged", most_lookups as "look-ups of its SPF", said as "told"
from dns_cases
where run_id = (select arg_max(run_id, recorded_at) from dns_rounds)
order by kind, intended <> 'ok', intended, "case";
