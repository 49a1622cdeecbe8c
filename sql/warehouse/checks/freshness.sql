-- name: taken
-- When the snapshot that each staging table equals was taken. Read in the warehouse.
select table_name, taken_at from staging.watermarks;

-- name: latest
-- What the latest sync of each table did. Read in the measurements.
select table_name, mode, lag_p50_s, lag_p95_s, lag_p99_s
from syncs
qualify row_number() over (partition by table_name order by recorded_at desc) = 1;
