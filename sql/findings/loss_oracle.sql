-- The loss oracle. What the warehouse held after syncs were killed and the server crashed. From the
-- newest run.

-- name: card
with newest as (select arg_max(run_id, recorded_at) as run_id from loss_oracle),
held as (
    select
        run_id,
        sum(rows) filter (arm = 'two_snapshot_delta')::bigint as rows,
        sum(lost + phantom + duplicate + stale) filter (arm in ('two_snapshot_delta', 'oltp'))::bigint as faults,
        sum(lost + stale) filter (arm = 'updated_at')::bigint as lost_by_updated_at,
        sum(phantom) filter (arm = 'updated_at')::bigint as phantoms_of_updated_at,
        sum(rows) filter (arm = 'updated_at')::bigint as rows_of_updated_at
    from loss_oracle semi join newest using (run_id)
    group by run_id
), done as (
    select
        run_id,
        sum(times) filter (kind = 'killed at')::bigint as kills,
        count(*) filter (kind = 'killed at') as boundaries,
        coalesce(sum(times) filter (kind = 'crash'), 0)::bigint as crashes,
        sum(times) filter (kind = 'transaction' and name in ('commits', 'commits that did not wait for the disk'))::bigint as commits,
        coalesce(sum(times) filter (kind = 'transaction' and name = 'prepared'), 0)::bigint as prepared,
        coalesce(sum(times) filter (kind = 'transaction' and name = 'tenants purged'), 0)::bigint as purged,
        coalesce(sum(times) filter (kind = 'transaction' and name = 'in doubt after a crash'), 0)::bigint as in_doubt,
        any_value(seconds) as seconds
    from loss_oracle_done semi join newest using (run_id)
    group by run_id
)
select
    run_id, faults, kills, crashes, commits, lost_by_updated_at,
    'Does a sync lose rows when it, or the server, is killed?' as question,
    case
        when faults > 0 then 'It does'
        when lost_by_updated_at = 0 or crashes = 0 then 'Too little to tell'
        else 'It does not'
    end as verdict,
    case
        when faults > 0 then 'bad'
        when lost_by_updated_at = 0 or crashes = 0 then 'fair'
        else 'good'
    end as tone,
    format(
        '{} rows lost, phantom, duplicate or stale after {:,} kills and {:,} crashes; a cursor over updated_at lost {:,}',
        if(faults = 0, 'no', format('{:,}', faults)), kills, crashes, lost_by_updated_at
    ) as headline,
    format(
        'Of {:,} rows none is lost, phantom, duplicate or stale; the cursor over updated_at has {:,} of {:,} not or not as they are, and {:,} that are gone.',
        rows, lost_by_updated_at, rows_of_updated_at, phantoms_of_updated_at
    ) as effect,
    format(
        'Syncs killed {:,} times at {} boundaries, the server crashed {:,} times beneath {:,} commits, {:,} prepared transactions and {:,} purges, in {:.0f} s.',
        kills, boundaries, crashes, commits, prepared, purged, seconds
    ) as evidence,
    format(
        'Compared with what writers were acknowledged; {:,} transactions were in doubt after a crash, and the server asked about them. The cursors had to lose rows.',
        in_doubt
    ) as correctness,
    'Extract by what two snapshots see, write rows and watermark in one transaction, and wait for the disk of the source in between.'
        as advice,
    'The source forgets what it showed: a standby that is promoted, or fsync = off on a machine that fails.' as flips
from held join done using (run_id);

-- name: table_who_lost_what
select
    case arm
        when 'two_snapshot_delta' then 'two-snapshot delta'
        when 'oltp' then 'the OLTP itself'
        when 'transaction_id' then 'cursor over transaction ids'
        when 'updated_at_with_a_lag_of_1_s' then 'cursor over updated_at, 1 s lag'
        else 'cursor over ' || arm
    end as "extracted by",
    table_name as "table", rows as "acknowledged", lost as "lost", phantom as "phantom",
    duplicate as "duplicate", stale as "stale"
from loss_oracle
where run_id = (select arg_max(run_id, recorded_at) from loss_oracle)
order by arm <> 'two_snapshot_delta', arm = 'oltp', arm, table_name;

-- name: table_where_syncs_were_killed
select name as "at or within", times as "times"
from loss_oracle_done
where kind = 'killed at' and run_id = (select arg_max(run_id, recorded_at) from loss_oracle)
order by times desc, name;

-- name: table_what_else_was_done
select kind as "kind", name as "what", times as "times"
from loss_oracle_done
where kind <> 'killed at' and run_id = (select arg_max(run_id, recorded_at) from loss_oracle)
order by kind, times desc, name;
