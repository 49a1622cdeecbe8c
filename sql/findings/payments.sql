-- Payments. What became of subscriptions that the provider bills, over its protocol and with faults. From the
-- newest run.

-- name: card
with newest as (select arg_max(run_id, recorded_at) as run_id from payments),
counted as (
    select
        run_id,
        coalesce(max(times) filter (what = 'tenants'), 0) as tenants,
        coalesce(max(times) filter (what = 'events kept'), 0) as events,
        coalesce(max(times) filter (what = 'deliveries: sent'), 0) as deliveries,
        coalesce(max(times) filter (what = 'deliveries: duplicates'), 0) as duplicates,
        coalesce(max(times) filter (what = 'charges declined'), 0) as declined,
        coalesce(max(times) filter (what = 'answers too late'), 0) as late,
        coalesce(max(times) filter (what = 'invoices'), 0) as invoices,
        coalesce(max(times) filter (what = 'previews'), 0) as previews,
        coalesce(max(times) filter (what = 'paid cents, here'), 0) as paid,
        coalesce(max(times) filter (what = 'diverged by order of arrival'), 0) as by_arrival,
        coalesce(max(times) filter (what = 'diverged by time of event'), 0) as by_time,
        sum(times) filter (what in ('differences', 'checks of money broken', 'previews that differ'))
            + abs(max(times) filter (what = 'events told') - max(times) filter (what = 'events processed'))
            + abs(max(times) filter (what = 'paid cents, provider') - max(times) filter (what = 'paid cents, here'))
            + abs(max(times) filter (what = 'refunded cents, provider') - max(times) filter (what = 'refunded cents, here'))
            + abs(max(times) filter (what = 'customers made') - max(times) filter (what = 'customers asked for'))
            + abs(max(times) filter (what = 'subscriptions made') - max(times) filter (what = 'subscriptions asked for'))
            + abs(max(times) filter (what = 'refunds made') - max(times) filter (what = 'refunds asked for'))
            + abs(max(times) filter (what = 'open cents, provider') - max(times) filter (what = 'open cents, here'))
            as faults,
        max(seconds) as seconds
    from payments semi join newest using (run_id)
    group by run_id
)
select
    run_id, faults::bigint as faults, tenants, events, by_arrival, events / seconds as events_per_s,
    'Does the OLTP agree with the payment provider when webhooks come twice, late and in any order?' as question,
    if(faults > 0, 'It does not', 'To the cent') as verdict,
    if(faults > 0, 'bad', 'good') as tone,
    format(
        '{:,} differences in {:,} tenants after {:,} events; by the order of their arrival {:,} subscriptions would be wrong, by their time {:,}',
        faults::bigint, tenants, events, by_arrival, by_time
    ) as headline,
    format(
        'Subscriptions, {:,} invoices and {:,.2f} dollars paid are the provider''s; {:,} previews of upgrades were foretold to the cent.',
        invoices, paid / 100, previews
    ) as effect,
    format(
        '{:,} events in {:,} deliveries, {:,} of them twice; {:,} charges declined; {:,} answers too late; {:.0f} s with the changes themselves, one processor, {:,.0f} events/s.',
        events, deliveries, duplicates, declined, late, seconds, events / seconds
    ) as evidence,
    'Both ledgers are compared object by object through the official client; every event is in the inbox once and processed; what was asked for once was made once.'
        as correctness,
    'Take an event for a hint: fetch the customer''s state after it came, with no transaction open, and copy it whole, newest question wins.'
        as advice,
    'The provider is asked more often than it allows (Stripe: 100 requests a second): events of a customer are then to be gathered for longer.' as flips
from counted;

-- name: table_what_was_done_and_seen
select what as "what", times as "times"
from payments
where run_id = (select arg_max(run_id, recorded_at) from payments) and what not like '%cents%'
order by what;

-- name: table_both_ledgers_in_cents
select
    split_part(what, ' cents, ', 1) as "what",
    max(times) filter (what like '%provider') as "at the provider",
    max(times) filter (what like '%here') as "here"
from payments
where run_id = (select arg_max(run_id, recorded_at) from payments) and what like '%cents, %'
group by 1
order by 1;
