-- Runs in DuckDB: from pgbench's raw log lines to figures. Percentiles come from the raw rows.

-- name: ended
-- A row a transaction; "outcome" is ok or the class of the failure. What is the same for all of a run
-- joins them only where they are kept, as a time that people read takes its place: both take as long as
-- reading a log.
create table ended (
    operation       varchar,
    client          integer,
    ended_us        bigint,  -- since the epoch
    latency_us      bigint,
    outcome         varchar,
    schedule_lag_us bigint,
    retries         bigint,
    checkout_us     bigint,  -- wait for a connection of the client's pool
    tenant          integer  -- its rank by size, where the client tells whom it worked for
);
-- Percentiles have no use for the order of a log, and without it all processors insert.
set preserve_insertion_order = false;

-- name: load
create table load as select $workload as workload, $arm as arm, $sessions::integer as sessions;

-- name: rows
create view rows as
select load.*, ended.* exclude (ended_us), make_timestamp(ended_us)::timestamptz as ended_at
from load cross join ended;

-- name: transactions
-- Transactions of one process that ended in the measured window. A session's first one is left out: it
-- waited for all others to connect, and filled its caches.
insert into ended
select
    ($operations::varchar[])[lines.script + 1],
    $first_client + lines.client,
    lines.epoch_s * 1000000 + lines.epoch_us as ended_us,
    try_cast(lines.latency as bigint),
    case when try_cast(lines.latency as bigint) is null then lines.latency else 'ok' end,
    case when $scheduled then lines.extra_1 end,
    coalesce(case when $scheduled then lines.extra_2 else lines.extra_1 end, 0),
    lines.checkout,
    lines.tenant
from lines
where ended_us between $began_us::bigint and $ended_us::bigint and lines.transaction > 1;

-- name: operations
-- One row an operation, also for one that never ran. A session's first call of an operation compiles its
-- functions and fills its caches, for a rare one ten times as long as it takes: it counts, but not in
-- percentiles. p95 takes at least 20 transactions, or it would be the longest of them, p99 at least 10,000.
with warm as (
    select operation, latency_us from ended
    anti join (select client, operation, min(ended_us) as ended_us from ended group by all) as first
        using (client, operation, ended_us)
), percentiles as (
    select
        operation,
        quantile_cont(latency_us, 0.50) / 1000 as p50_ms,
        case when count(latency_us) >= 20 then quantile_cont(latency_us, 0.95) / 1000 end as p95_ms,
        case when count(latency_us) >= 10000 then quantile_cont(latency_us, 0.99) / 1000 end as p99_ms
    from warm group by operation
), counted as (
    select
        operation,
        count(*) filter (where outcome = 'ok') as calls,
        count(*) filter (where outcome <> 'ok') as failures,
        count(*) filter (where outcome = 'serialization') as serialization_failures,
        count(*) filter (where outcome = 'deadlock') as deadlocks,
        count(*) filter (where outcome = 'skipped') as skipped,
        count(*) filter (where latency_us > 1000 * $latency_limit_ms::double) as late,
        coalesce(sum(retries), 0)::bigint as retries
    from (select distinct unnest($operations::varchar[]) as operation) as asked
    left join ended using (operation)
    group by operation
)
select
    operation, calls, p50_ms, p95_ms, p99_ms, failures, serialization_failures, deadlocks, skipped, late, retries
from counted left join percentiles using (operation)
order by list_position($operations::varchar[], operation);

-- name: checkouts
-- How long sessions waited for a connection of the client's own pool.
select
    quantile_cont(checkout_us, 0.50) / 1000 as checkout_p50_ms,
    quantile_cont(checkout_us, 0.95) / 1000 as checkout_p95_ms
from ended;

-- name: bucket_medians
-- Median latency of every operation in each stretch of time, where each of them has enough calls.
select bucket, operation, median(latency_us) as median_us
from (
    select time_bucket(to_milliseconds($bucket_ms::bigint), ended_at) as bucket, operation, latency_us
    from transactions
    where run_id = $run_id and workload = $workload and arm = $arm and outcome = 'ok'
) as timed
group by bucket, operation
qualify min(count(*)) over (partition by bucket) >= $fewest
    and count(*) over (partition by bucket) = $operations
order by bucket, operation;
