-- Runs in DuckDB: what every measurement row carries beside its own columns.

-- name: stamped
select rows.*, stamp.* from rows cross join stamp;

-- name: extended
select * from earlier union all by name select rows.*, stamp.* from rows cross join stamp;
