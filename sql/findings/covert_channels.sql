-- Covert channels between tenants: what one learns of another without reading its rows. From the
-- newest run.

-- name: card
with newest as (
    select * from covert_channels
    where run_id = (select arg_max(run_id, recorded_at) from covert_channels)
), counted as (
    select
        run_id, count(*) as channels, sum(trials)::bigint as trials,
        count(*) filter (verdict = 'open') as open_channels,
        count(*) filter (verdict = 'closed') as closed_channels,
        count(*) filter (verdict = 'not proven') as not_proven,
        count(*) filter (verdict = 'open' and expected = 'closed') as leaks,
        max(bits_per_second) filter (verdict = 'open') as fastest,
        arg_max(channel, bits_per_second) filter (verdict = 'open') as fastest_channel,
        max(detectable_ns) filter (verdict = 'closed') as undetected_ns
    from newest
    group by run_id
)
select
    run_id, channels, open_channels, closed_channels, leaks, trials, fastest, undetected_ns,
    'What does one tenant learn of another without reading its rows?' as question,
    case
        when leaks > 0 then 'More than it should'
        when not_proven > 0 then 'Not proven everywhere'
        when open_channels > 0 then 'That others are at work'
        else 'Nothing that was tried'
    end as verdict,
    case when leaks > 0 then 'bad' when not_proven > 0 or open_channels > 0 then 'fair' else 'good' end as tone,
    format(
        '{} channels closed, {} open, {} of them unexpectedly, {} not proven',
        closed_channels, open_channels, leaks, not_proven
    ) as headline,
    if(
        open_channels > 0,
        format('{} of {} channels are open, the fastest ({}) at {:,.0f} bit/s',
            open_channels, channels, replace(fastest_channel, '_', ' '), fastest),
        format('none of {} channels is open', channels)
    ) as effect,
    format('{:,} probes with a known secret, as many true as false, in random order.', trials)
        as evidence,
    if(
        undetected_ns is null,
        'Of each closed channel the most is told that it could carry unseen.',
        format('A difference of {:,.0f} µs would have been seen in every timing, nine times of ten.',
            undetected_ns / 1000)
    ) as correctness,
    'Give tenants an API rather than SQL: EXPLAIN, catalogs and locks need no right.' as advice,
    'A unique key, a reference or an error message that reaches across tenants.' as flips
from counted;

-- name: table_channels_that_are_open
select
    replace(channel, '_', ' ') as "channel", bits_per_second as "bit/s", question as "question",
    because as "why", advice as "what to do"
from covert_channels
where verdict = 'open' and run_id = (select arg_max(run_id, recorded_at) from covert_channels)
order by bits_per_second desc;

-- name: table_channels_that_are_closed
select
    replace(channel, '_', ' ') as "channel", trials as "probes", most_bits_per_second as "below, bit/s",
    detectable_ns / 1000 as "below, µs", question as "question", advice as "what keeps it so"
from covert_channels
where verdict = 'closed' and run_id = (select arg_max(run_id, recorded_at) from covert_channels)
order by channel;

-- name: table_channels_that_are_not_proven
select replace(channel, '_', ' ') as "channel", trials as "probes", question as "question", detail as "why"
from covert_channels
where verdict = 'not proven' and run_id = (select arg_max(run_id, recorded_at) from covert_channels)
order by channel;
