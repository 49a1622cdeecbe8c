-- name: taken
-- When the snapshot that each staging table equals was taken. Read in the warehouse.
select table_name, taken_at from staging.watermarks;

-- name: marts
-- How far each mart has come. One that is behind may be of any moment before it was last refreshed: of
-- the snapshots that its tables were of then only the later ones are still known.
select
    p.mart,
    least(min(w.taken_at), if(max(c.latest) > p.position, p.refreshed_at, null)),
    if(max(c.latest) > p.position, greatest(epoch(now() - p.refreshed_at), 0), 0)
from staging.positions p
cross join unnest(p.sources) as source (name)
join staging.changes c on c.table_name = source.name
join staging.watermarks w on split_part(w.table_name, '.', 2) = source.name
group by p.mart, p.position, p.refreshed_at;

-- name: lags
-- What the latest sync of each table did, and the largest quantiles of the last hour's. Read in the
-- measurements of that hour.
select
    table_name, mode, lag_p50_s, lag_p95_s, lag_p99_s,
    max(lag_p50_s) over (partition by table_name) as hour_p50_s,
    max(lag_p95_s) over (partition by table_name) as hour_p95_s,
    max(lag_p99_s) over (partition by table_name) as hour_p99_s
from syncs
qualify row_number() over (partition by table_name order by recorded_at desc) = 1;
