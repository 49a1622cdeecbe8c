-- Runs in DuckDB: what every reader of load runs asks, as macros that Measurements.read defines over the tables.
-- "run" is a run_id, "workload" and "arm" name what ran. Times within an arm are seconds since it began.

-- name: newest_run
-- The newest run of a workload all of whose arms are whole (one that was left out does not count).
create macro newest_run(ran) as (
    select run_id from load_runs where workload = ran
    group by run_id
    having bool_and(complete)
    order by max(recorded_at) desc
    limit 1
);

-- name: load_arms
create macro load_arms(run, ran) as table
select
    arm, row_number() over (order by min(recorded_at), min(sessions), arm) as place, min(sessions) as sessions,
    replace(arm, '_', ' ') as label
from load_runs
where run_id = run and workload = ran and skipped is null
group by arm;

-- name: load_began
-- "whole" is how many of its seconds are; of a shorter one, the first is shown nevertheless.
create macro load_began(run, ran) as table
select t.arm, min(t.ended_at) as began, greatest(floor(any_value(r.seconds)), 1) as whole
from transactions t join load_runs r using (run_id, workload, arm)
where t.run_id = run and t.workload = ran
group by t.arm;

-- name: load_response_times
create macro load_response_times(run, ran) as table
select
    replace(operation, '_', ' ') as "operation", replace(arm, '_', ' ') as "arm", calls as "calls",
    p50_ms::double as "p50, ms", p95_ms::double as "p95, ms", p99_ms::double as "p99, ms"
from load_operations
where run_id = run and workload = ran
order by operation, sessions, arm;

-- name: load_ranges
-- For a plot; the last arm that an operation ran in is shown last.
create macro load_ranges(run, ran) as table
select
    replace(o.operation, '_', ' ') as operation, a.label as arm, p50_ms::double as p50, p95_ms::double as p95,
    p99_ms::double as p99
from load_operations o
join load_arms(run, ran) a using (arm)
where o.run_id = run and o.workload = ran and o.calls > 0 and p50_ms is not null
order by operation, a.place;

-- name: load_outcomes
-- Everything that did not simply succeed at once.
create macro load_outcomes(run, ran) as table
select
    replace(operation, '_', ' ') as "operation", replace(arm, '_', ' ') as "arm", calls as "ok",
    serialization_failures as "serialization failures", deadlocks as "deadlocks", skipped as "skipped",
    failures - serialization_failures - deadlocks - skipped as "other failures", late as "late", retries as "retries"
from load_operations
where run_id = run and workload = ran and greatest(failures, late, retries) > 0
order by operation, sessions, arm;

-- name: load_throughput
-- CPU in percent of one core.
create macro load_throughput(run, ran) as table
with resources as (
    select
        arm, avg(server_cpu_percent) as server_cpu, avg(client_cpu_percent) as client_cpu,
        max(server_memory_mb) as server_memory
    from resource_samples
    where run_id = run and workload = ran
    group by arm
)
select
    replace(arm, '_', ' ') as "arm", sessions as "sessions", tps as "tx/s", transactions as "transactions",
    failed as "failed", server_cpu as "server CPU, %", client_cpu as "client CPU, %",
    server_memory as "server memory, MB", coalesce('left out: ' || skipped::varchar, 'void: ' || void::varchar, not_sampled::varchar, '') as "note"
from load_runs left join resources using (arm)
where run_id = run and workload = ran
order by sessions, arm;

-- name: load_curve
-- Throughput and p95 of all operations together, the newest whole measurement of each arm at the scale that was
-- measured last (a sweep has arms that other runs have not). The knee is that of the closed loop with a connection
-- a session: where power, throughput over response time (here p95), is greatest. Kleinrock, "Power and
-- deterministic rules of thumb for probabilistic problems in computer communications", ICC 1979.
create macro load_curve(ran) as table
with whole as (
    select * from load_runs
    where workload = ran and complete and skipped is null and void is null
), newest as (
    select * from whole
    where scale = (select arg_max(scale, recorded_at) from whole)
    qualify row_number() over (partition by arm order by recorded_at desc) = 1
), latencies as (
    select run_id, arm, quantile_cont(latency_us, 0.95) / 1000 as p95
    from transactions
    where workload = ran and outcome = 'ok' and run_id in (select run_id from newest)
    group by run_id, arm
), curve as (
    select
        coalesce(n.through::varchar, 'direct') || if(n.offered_tps is null, '', ', open loop') as way, n.arm, n.sessions, n.pool,
        n.tps, l.p95, n.tps / l.p95 as power
    from newest n join latencies l using (run_id, arm)
    where n.arm not like 'exercise%' and n.arm not like 'burst%'  -- other sizes, other work
)
select
    way, arm, sessions, pool, tps, p95, power,
    coalesce(way = 'direct' and power = max(power) filter (way = 'direct') over (), false)
        and sizes > 2 as knee
from curve, (select count(distinct sessions) as sizes from curve where way = 'direct')
order by way, sessions, pool;

-- name: load_curve_points
create macro load_curve_points(ran) as table
select
    replace(way, '_', ' ') as series, tps, p95 as "p95, ms", knee,
    if(pool is null, format('{:,}', sessions), format('{:,} on {:,}', sessions, pool)) as label
from load_curve(ran);

-- name: load_seconds
create macro load_seconds(run, ran) as table
with timed as (
    select t.arm, floor(extract(epoch from t.ended_at - b.began))::integer as second, t.latency_us
    from transactions t join load_began(run, ran) b using (arm)
    where t.run_id = run and t.workload = ran and t.outcome = 'ok'
        and t.ended_at < b.began + to_seconds(b.whole)
), latencies as (
    select
        arm, second, quantile_cont(latency_us, 0.5) / 1000 as p50, quantile_cont(latency_us, 0.95) / 1000 as p95
    from timed
    group by arm, second
), sampled as (
    select r.arm, floor(extract(epoch from r.at - b.began))::integer as second, sum(r.checkpoints) as checkpoints
    from resource_samples r join load_began(run, ran) b using (arm)
    where r.run_id = run and r.workload = ran
    group by all
)
select a.label as panel, l.second + 0.5 as second, l.p50, l.p95, coalesce(s.checkpoints, 0) > 0 as checkpoint
from latencies l
join load_arms(run, ran) a using (arm)
left join sampled s using (arm, second)
order by a.place, l.second;

-- name: load_waits
-- Sessions at work, by what they waited for, as a mean over each second.
create macro load_waits(run, ran) as table
with sampled as (
    select
        w.arm, floor(extract(epoch from w.at - b.began))::integer as second, w.at as sampled_at, w.wait_event_type as kind, w.active
    from wait_samples w join load_began(run, ran) b using (arm)
    where w.run_id = run and w.workload = ran and w.at between b.began and b.began + to_seconds(b.whole)
), seconds as (
    select arm, second, count(distinct sampled_at) as samples from sampled group by arm, second
)
select a.label as panel, second, w.kind, sum(w.active) / any_value(n.samples) as sessions
from sampled w
join seconds n using (arm, second)
join load_arms(run, ran) a using (arm)
group by a.label, a.place, second, w.kind
order by a.place, second, w.kind;

-- name: load_resources
-- CPU in percent of one core, memory in MB, WAL in MB a second.
create macro load_resources(run, ran) as table
select
    a.label as panel, extract(epoch from r.at - b.began) as second, r.server_cpu_percent as server,
    r.client_cpu_percent as client, r.server_memory_mb as memory, coalesce(r.checkpoints, 0) > 0 as checkpoint,
    r.wal_mb / coalesce(extract(epoch from r.at - lag(r.at) over (partition by r.arm order by r.at)), 1) as wal
from resource_samples r
join load_began(run, ran) b using (arm)
join load_arms(run, ran) a using (arm)
where r.run_id = run and r.workload = ran
order by a.place, second;

-- name: load_tenants
-- Response times by how large the tenant is, where the client tells whom it worked for: an open loop at a fixed
-- rate, so that who waits behind a noisy neighbour is seen to wait. Bands are half decades of the rank.
create macro load_tenants(run, ran) as table
with ranked as (
    select
        arm, tenant, latency_us, ceil(2 * log10(tenant))::integer as band
    from transactions
    where run_id = run and workload = ran and outcome = 'ok' and tenant is not null
)
select
    a.label as arm,
    if(min(tenant) = max(tenant), format('{}', min(tenant)), format('{} to {}', min(tenant), max(tenant))) as "tenants by size",
    quantile_cont(latency_us, 0.5) / 1000 as p50, quantile_cont(latency_us, 0.95) / 1000 as p95,
    case when count(*) >= 10000 then quantile_cont(latency_us, 0.99) / 1000 end as p99, count(*) as calls
from ranked join load_arms(run, ran) a using (arm)
group by a.label, a.place, band
order by a.place, band;

-- name: load_pools
-- Connections of a pool between sessions and the server; waits are those of transactions.
create macro load_pools(run, ran) as table
with pooled as (
    select
        arm, pool as part, avg(waiting) as waiting, max(waiting) as most_waiting, avg(in_use) as in_use,
        max(in_use + idle) as size, sum(wait_ms * transactions) / nullif(sum(transactions), 0) as wait_ms,
        max(longest_wait_ms) as longest_ms
    from pool_samples
    where run_id = run and workload = ran
    group by all
)
select
    replace(p.arm, '_', ' ') as "arm", any_value(r.sessions) as "sessions", sum(p.size) as "pool",
    100 * sum(p.in_use) / sum(p.size) as "in use, %", sum(p.waiting) as "waiting", sum(p.most_waiting) as "at most",
    avg(p.wait_ms) as "mean wait, ms", max(p.longest_ms) as "longest, ms",
    any_value(r.checkout_p50_ms) as "wait p50, ms", any_value(r.checkout_p95_ms) as "wait p95, ms"
from pooled p
join load_runs r on r.run_id = run and r.workload = ran and r.arm = p.arm
group by p.arm
order by p.arm;

-- name: load_statements
-- The dearest statements of all arms together, with the plan that was looked up after an arm.
create macro load_statements(run, ran) as table
with summed as (
    select
        role, queryid, any_value(query) as query, sum(calls)::bigint as calls, sum(total_ms) as total_ms,
        sum(blocks) / sum(calls) as blocks, sum(wal_bytes) / sum(calls) as wal, max(plan)::varchar as plan
    from statements
    where run_id = run and workload = ran
    group by role, queryid
)
select
    regexp_replace(trim(query), '\s+', ' ', 'g')[:160] as "statement", role as "role",
    100 * total_ms / sum(total_ms) over () as "time, %", calls as "calls", total_ms / calls as "ms a call",
    blocks as "blocks a call", wal as "WAL bytes a call", coalesce(plan, 'not looked up') as "generic plan"
from summed
order by total_ms desc
limit 5;

-- name: load_counts
-- What a workload counted by itself, and what each arm added to what can be added to.
create macro load_counts(run, ran, asked) as table
select
    replace(figure, '_', ' ') as "count", replace(arm, '_', ' ') as "arm", value as "in all",
    case when value = floor(value) and rise = floor(rise) then rise::bigint end as "in this arm"
from load_figures
where run_id = run and workload = ran and query = asked
order by figure, recorded_at, arm;

-- name: freshness_ways
-- Each way of having fresh figures at each interval, by the newest run; p95 is that of operations that somebody
-- waits for. "report" is one figure made when it is asked for, as "live" is.
create macro freshness_ways() as table
select
    *,
    case
        when way = 'live' then 'when asked'
        when back_to_back then 'all the time'
        else format('every {:g} s', round(every_s::double))
    end as interval
from freshness
where run_id = (select arg_max(run_id, recorded_at) from freshness) and told is not null;

-- name: freshness_points
-- For a plot: how far behind, and at what cost.
create macro freshness_points() as table
select
    told as series, behind_s, p95_ratio::double as ratio, p95_low::double as low, p95_high::double as high,
    p95_noise::double as noise, reckoned, interval as label
from freshness_ways()
where p95_ratio is not null
order by told, every_s;
