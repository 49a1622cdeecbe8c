-- The warehouse and its freshness. From the newest sync.

-- name: card
with summed as (
    select
        run_id, count(*) as tables, sum(rows)::bigint as rows, sum(deleted)::bigint as deleted,
        sum(seconds) as seconds, max(age_s) as age_s,
        max(lag_p95_s)::double as lag_p95_s,  -- of no type where every sync was in full
        count(*) filter (mode = 'full') as in_full
    from syncs
    where recorded_at = (select max(recorded_at) from syncs)
    group by run_id
)
select
    run_id, rows, deleted, seconds, age_s, lag_p95_s,
    'How fresh can the warehouse be, and at what cost?' as question,
    format('{:.1f} s behind', age_s) as verdict,
    if(age_s < 60, 'good', 'fair') as tone,
    format(
        '{:,} rows of {} tables in {:.2f} s, {:.1f} s behind when done', rows, tables, seconds, age_s
    ) as headline,
    format('{:,} rows in {:.2f} s, {:,.0f} rows/s', rows, seconds, rows / seconds) as effect,
    format('{} tables, {} of them in full; {:,} deletes.', tables, in_full, deleted)
        || coalesce(format(' 95 % of changes arrived within {:.1f} s.', lag_p95_s), '') as evidence,
    'Rows and watermark are one transaction; a run fails when warehouse and database differ.'
        as correctness,
    'Extract by snapshot and transaction id: a cursor over updated_at loses rows.' as advice,
    'Transactions stay open for minutes; what they write comes as much later.' as flips
from summed;

-- name: table_what_the_newest_sync_extracted
select
    table_name as "table", mode as "mode", rows as "rows", deleted as "deleted",
    seconds as "seconds", lag_p95_s::double as "p95 lag, s"
from syncs
where recorded_at = (select max(recorded_at) from syncs)
order by rows desc, table_name;

-- name: table_the_last_ten_syncs
select
    recorded_at as "at (UTC)", count(*) filter (mode = 'full') as "tables in full",
    sum(rows)::bigint as "rows", sum(deleted)::bigint as "deleted", sum(seconds) as "seconds",
    max(age_s) as "behind, s"
from syncs
group by run_id, recorded_at  -- a process that keeps the warehouse fresh is one run with many syncs
order by 1 desc
limit 10;
