-- Rows, keys, sums and contents of a mirrored table by tenant and day, on either side. The same text
-- for the same value (see staging/types.toml) is hashed on both; sums do not depend on the order of
-- the rows. The end of a uuid is as good as a hash of it.

-- name: oltp_hash
('x' || left(md5(concat_ws(e'\x1f', {texts})), 15))::bit(60)::bigint

-- name: oltp_text
coalesce({text}, e'\x01')

-- name: oltp_sums
-- The empty branch is for the planner: of an expression's values it expects as many as there are rows,
-- and sorts them all, in one process; of a union's it expects few, and hashes them, in several.
with numbered as (
    select {tenant} as tenant_id, {day} as on_day, ('x' || right({id}::text, 12))::bit(48)::bigint as key,
           {hash} as contents {summed}
    from {table}
    union all
    select {tenant}, {day}, 0, 0 {summed} from {table} where false
)
select tenant_id, on_day as day, count(*) as rows, sum(key)::text as keys, sum(contents)::text as contents,
       array[{sums}]::text[] as sums
from numbered group by tenant_id, on_day;

-- name: oltp_rows
select {id} as id, {day} as day, {hash} as contents from {table} where {tenant} = {tenant_id};

-- name: warehouse_hash
('0x' || left(md5(concat_ws(chr(31), {texts})), 15))::bigint

-- name: warehouse_text
coalesce({text}, chr(1))

-- name: differing
-- Days of tenants whose rows, keys, sums or contents differ; on the left the OLTP.
with oltp as (
    from postgres_query('oltp', ?)
), warehouse as (
    select {tenant} as tenant_id, {day} as day, count(*) as rows,
           sum(('0x' || right({id}::varchar, 12))::bigint)::varchar as keys, sum({hash})::varchar as contents,
           [{sums}]::varchar[] as sums
    from {table} group by 1, 2
)
select coalesce(oltp.tenant_id, warehouse.tenant_id)::varchar as tenant_id,
       coalesce(oltp.day, warehouse.day) as day,
       coalesce(oltp.rows, 0), coalesce(warehouse.rows, 0),
       oltp.sums, warehouse.sums
from oltp full join warehouse
    on oltp.tenant_id = warehouse.tenant_id and oltp.day is not distinct from warehouse.day
where (oltp.rows, oltp.keys, oltp.contents, oltp.sums)
    is distinct from (warehouse.rows, warehouse.keys, warehouse.contents, warehouse.sums)
order by tenant_id, day;

-- name: differing_rows
-- Some keys of one tenant that differ on a day, and how. A row is of the day that either side has for it.
with oltp as (
    from postgres_query('oltp', ?)
), warehouse as (
    select {id} as id, {day} as day, {hash} as contents, count(*) over (partition by {id}) as copies
    from {table} where {tenant} = ?
), compared as (
    select coalesce(oltp.id, warehouse.id)::varchar as id,
           case
               when warehouse.id is null then 'missing'
               when oltp.id is null then 'deleted in the OLTP'
               when warehouse.copies > 1 then 'duplicate'
               when oltp.day is distinct from warehouse.day
                   then format('of {{}} in the OLTP and of {{}} in the warehouse',
                               coalesce(oltp.day::varchar, 'no day'), coalesce(warehouse.day::varchar, 'no day'))
               when oltp.contents <> warehouse.contents then 'stale'
           end as difference
    from oltp full join warehouse on oltp.id = warehouse.id
    where warehouse.id is not null and warehouse.day is not distinct from ?
        or oltp.id is not null and oltp.day is not distinct from ?
)
select distinct difference || ': ' || id from compared where difference is not null
order by 1 limit {limit};

-- name: rows
select count(*) from {table};
