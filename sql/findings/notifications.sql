-- Notifications through a queue. What became of a wave of events, by the mailboxes, and what noting them costs. From the newest run.

-- name: card
with newest as (
    select * from notifications
    where run_id = (select arg_max(run_id, recorded_at) from notifications)
)
select
    run_id, events, lost, doubled, digested, digests, dead, accepted, accepted_again, most_to_one, seconds, trigger_ratio,
    'Should OLTP trigger notifications, or do dedicated systems handle this better?' as question,
    case when lost + doubled + unheld + paged > 0 then 'Not like this' when events = 0 then 'Nothing to tell'
         else 'It notes and addresses them, a queue delivers' end as verdict,
    case when lost + doubled + unheld + paged > 0 then 'bad' when events = 0 then 'fair' else 'good' end as tone,
    format(
        '{:,} events: {} lost, {} doubled; {:,} mails wanted became {:,}, at most {:,} to one address',
        events, if(lost = 0, 'none', format('{:,}', lost)), if(doubled = 0, 'none', format('{:,}', doubled)),
        mails_wanted, mailed + digests, most_to_one
    ) as headline,
    format(
        'From the outbox to the mailboxes in {:.1f} s; the outbox was empty after {:.1f} s. {:,} mails went into {:,} digests, {:,} were given up and are held. '
        'The trigger makes a change of status {:.2f} × [{:.2f}, {:.2f}] as long: {:,.0f} µs instead of {:,.0f}.',
        seconds, relay_s, digested, digests, dead, trigger_ratio, trigger_low, trigger_high, trigger_us, bare_us
    ) as effect,
    format(
        'Campaigns that start and finish write the outbox by trigger, a relay has users told and hands their mails to PgQueuer, workers send by SMTP; {:,} kills of relay or worker.',
        kills
    ) as evidence,
    format(
        'Each event is looked for in the tables and in the mailbox. {:,} of {:,} mails were accepted a second time, which mailboxes know by the Message-ID: SMTP alone delivers at least once.',
        accepted_again, accepted
    ) as correctness,
    'Write the outbox by trigger in the same transaction, commit the queue first, and remember for ever what it was handed.'
        as advice,
    'A quarter of a second is too late: the relay looks every 20 to 50 ms, as NOTIFY would keep transactions from being prepared.' as flips
from newest;

-- name: table_what_became_of_the_events
select replace(what, '_', ' ') as "what", figure as "how many" from (
    unpivot (
        select events, in_app, mails_wanted, mailed, digested, digests, dead as given_up, dead_mails as mails_given_up, lost, doubled,
               paged as users_beyond_their_burst, accepted, accepted_again, most_to_one as most_to_one_address
        from notifications where run_id = (select arg_max(run_id, recorded_at) from notifications)
    ) on events, in_app, mails_wanted, mailed, digested, digests, given_up, mails_given_up, lost, doubled, users_beyond_their_burst,
         accepted, accepted_again, most_to_one_address
    into name what value figure
);
