-- Content in a database of its own. What references across two databases survive, and what a duplicate costs. From the newest run.

-- name: card
with newest as (
    select arg_max(run_id, recorded_at) as run_id from content_comparison
), judged as (
    select
        run_id,
        sum(times) filter (kind = 'fault')::bigint as faults,
        coalesce(sum(times) filter (kind = 'killed'), 0)::bigint as kills,
        count(*) filter (kind = 'killed') as steps,
        coalesce(sum(times) filter (kind = 'ended' and step = 'whole'), 0)::bigint as whole,
        coalesce(sum(times) filter (kind = 'healed' and name in ('confirmed', 'marked', 'restored')), 0)::bigint as healed,
        coalesce(sum(times) filter (kind = 'healed' and name = 'removed'), 0)::bigint as removed,
        any_value(seconds) as seconds
    from content_ordeal semi join newest using (run_id)
    group by run_id
), compared as (
    select
        run_id,
        max(reference::double) filter (measure = 'create_ms') as create_ms,
        max(ratio::double) filter (measure = 'create_ms') as create_ratio,
        max(low::double) filter (measure = 'create_ms') as create_low,
        max(high::double) filter (measure = 'create_ms') as create_high,
        max(ratio::double) filter (measure = 'wal_bytes') as wal_ratio,
        max(reference::double) filter (measure = 'wal_bytes') as wal_reference,
        max(duplicate::double) filter (measure = 'wal_bytes') as wal_duplicate,
        max(reference::double) filter (measure = 'read_ms') as read_reference,
        max(duplicate::double) filter (measure = 'read_ms') as read_duplicate,
        max(reference::double) filter (measure = 'withdraw_ms') as withdraw_reference,
        max(duplicate::double) filter (measure = 'withdraw_ms') as withdraw_duplicate
    from content_comparison semi join newest using (run_id)
    group by run_id
)
select
    run_id, faults, kills, create_ms, wal_ratio, read_reference as read_reference_ms, read_duplicate as read_duplicate_ms,
    'Does OLTP-to-content integration create operational complexity, or manageable separation?' as question,
    case when faults > 0 then 'It loses track' when kills < 10 then 'Too little to tell' else 'Manageable, with a reconciler' end as verdict,
    case when faults > 0 then 'bad' when kills < 10 then 'fair' else 'good' end as tone,
    format(
        '{} dangling, orphaned or lost after {:,} kills; a duplicate writes {:.1f}x the log of the OLTP',
        if(faults = 0, 'nothing', format('{:,}', faults)), kills, wal_ratio
    ) as headline,
    format(
        'With the body in the OLTP as well, a save logs {:,.0f} bytes there instead of {:,.0f} and takes {:.2f} × [{:.2f}, {:.2f}]; '
        'a sender reads in {:.1f} ms instead of {:.1f}.',
        wal_duplicate, wal_reference, create_ratio, create_low, create_high, read_duplicate, read_reference
    ) as effect,
    format(
        'Authors, purges and reconcilers killed {:,} times at {} steps beside {:,} that ended whole, in {:.0f} s; {:,} objects were '
        'healed and {:,} removed. What is withdrawn is refused after {:.1f} ms, of a duplicate after {:.1f} ms.',
        kills, steps, whole, seconds, healed, removed, withdraw_reference, withdraw_duplicate
    ) as evidence,
    'Every version was compared with its object and its hash, every object with its version. Tests show the oracle orphans '
        'without a reconciler, and dangling references where content is removed without asking the OLTP.' as correctness,
    'Refer: store under a lease, commit, confirm; let one row of the OLTP say what may be removed, and reconcile with a grace period.'
        as advice,
    'Senders cannot wait for a second database, or must send while it is down: then keep a copy, and a way to withdraw it.' as flips
from judged join compared using (run_id);

-- name: table_reference_against_duplicate
select
    case measure
        when 'create_ms' then 'saving one, ms' when 'read_ms' then 'a sender''s reading one, ms'
        when 'withdraw_ms' then 'withdrawn until refused, ms' when 'clean_up_ms' then 'removing one, ms'
        when 'wal_bytes' then 'log of the OLTP for a save, bytes' when 'clean_up_wal_bytes' then 'log of the OLTP for a removal, bytes'
        else 'growth of the OLTP for one, bytes'
    end as "measure",
    reference::double as "reference", duplicate::double as "duplicate", ratio::double as "×",
    coalesce(format('{:.2f} to {:.2f}', low::double, high::double), '') as "95 % of it"
from content_comparison
where run_id = (select arg_max(run_id, recorded_at) from content_comparison)
order by measure in ('wal_bytes', 'clean_up_wal_bytes', 'oltp_bytes'), measure;

-- name: table_where_processes_were_killed
select name as "act", case step when '' then 'before its first step' else step end as "after", times as "times"
from content_ordeal
where kind = 'killed' and run_id = (select arg_max(run_id, recorded_at) from content_comparison)
order by name, times desc, step;

-- name: table_what_was_found_and_healed
select case kind when 'damaged' then 'damaged on purpose: ' || name when 'healed' then 'healed: ' || name else 'fault left: ' || name end as "what", times as "times"
from content_ordeal
where kind in ('fault', 'damaged', 'healed') and run_id = (select arg_max(run_id, recorded_at) from content_comparison)
order by kind, times desc, name;
