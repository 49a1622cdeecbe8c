-- Runs in DuckDB: from a run's transactions and the stretches that they fell due in to what each way costs.

-- name: latencies
-- Milliseconds, of transactions that somebody waits for, by the stretch that they were due in.
select s.turn, s.way, t.latency_us / 1000 as ms
from transactions t
join freshness_stretches s
    on s.run_id = t.run_id
    and t.ended_at - to_microseconds(t.latency_us) >= s.began and t.ended_at - to_microseconds(t.latency_us) < s.ended
where t.run_id = $run_id and t.workload = 'freshness' and t.outcome = 'ok'
    and not list_contains($unjudged::varchar[], t.operation);

-- name: stretches
-- Those of whole turns within the measured time.
with counted as (
    select s.turn, s.way, epoch(s.ended - s.began) as seconds, s.server_s, s.blocks, s.wal_bytes, count(p.began) as pieces
    from freshness_stretches s
    left join freshness_pieces p using (run_id, turn, way)
    where s.run_id = $run_id
        and s.ended < (select max(ended_at) from transactions where run_id = $run_id and workload = 'freshness')
    group by all
)
from counted
qualify count(*) over (partition by turn) = $ways
order by turn, way;

-- name: pieces
-- A piece of work of each way: how long it took, what its process used, and how old its data was at the end.
select
    way, count(*) as pieces,
    quantile_cont(epoch(ended - began), 0.5) as seconds_p50, quantile_cont(epoch(ended - began), 0.95) as seconds_p95,
    avg(epoch(ended - began)) as seconds, avg(rows) as rows, avg(cpu_s) as cpu_s, max(memory_mb) as memory_mb,
    avg(epoch(ended - snapshot_at)) as behind_s
from freshness_pieces
where run_id = $run_id and turn > 0
group by way;

-- name: propagation
-- Seconds from a transaction's end to that of the piece of work that brought it, of those between the snapshots
-- of two in one stretch: what came after the last one waited for the next turn.
select way, quantile_cont(waited, 0.5) as p50, quantile_cont(waited, 0.95) as p95, quantile_cont(waited, 0.99) as p99
from (
    select p.way, epoch(p.ended - t.ended_at) as waited
    from (
        select *, lag(snapshot_at) over (partition by turn, way order by snapshot_at) as since
        from freshness_pieces where run_id = $run_id and turn > 0
    ) as p
    join transactions t on t.run_id = $run_id and t.workload = 'freshness' and t.ended_at > p.since and t.ended_at <= p.snapshot_at
) as waits
group by way;

-- name: mart
-- Asked of the warehouse: the same as report.sql.
select tenant_id,
    sum(sent)::bigint as sent, sum(delivered)::bigint as delivered, sum(opened)::bigint as opened,
    sum(clicked)::bigint as clicked, sum(replied)::bigint as replied, count(*) as campaign_days
from marts.campaign_daily
where day between date '2025-10-03' and date '2025-12-31'
group by tenant_id
order by tenant_id;

-- name: spent
-- Asked of the OLTP: what a role's statements have cost so far; a table's COPY is one of them.
select coalesce(sum(total_exec_time), 0) / 1000 as server_s,
    coalesce(sum(shared_blks_hit + shared_blks_read), 0)::float8 as blocks, coalesce(sum(wal_bytes), 0)::float8 as wal_bytes
from pg_stat_statements s join pg_roles r on r.oid = s.userid
where r.rolname = %(role)s and s.toplevel and s.dbid = (select oid from pg_database where datname = current_database());
