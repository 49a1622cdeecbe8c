-- What changed in the OLTP and is not in staging yet. The conditions are those of staging/oltp.sql.

-- name: marks
-- Up to where staging is filled. Read in the warehouse.
select table_name, server, incarnation, snapshot from staging.watermarks;

-- name: prefer_indexes
-- A planner that hopes for a hit would read tables from their beginning; mostly there is none.
set enable_seqscan = off;

-- name: changed
-- The table's name when something in it changed.
select {label} as table_name
where exists (
    select from {table}
    where change_xid >= {oldest} and not pg_visible_in_snapshot(change_xid::text::xid8, {snapshot})
) or exists (
    select from integration.tombstones
    where change_xid >= {oldest} and not pg_visible_in_snapshot(change_xid::text::xid8, {snapshot})
      and table_name = {label}
)

-- name: rows
-- How many rows of the table changed or were deleted.
select {label} as table_name, (
    select count(*) from {table}
    where change_xid >= {oldest} and not pg_visible_in_snapshot(change_xid::text::xid8, {snapshot})
) + (
    select count(*) from integration.tombstones
    where change_xid >= {oldest} and not pg_visible_in_snapshot(change_xid::text::xid8, {snapshot})
      and table_name = {label}
) as rows
