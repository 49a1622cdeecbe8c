-- Rows, keys and contents of a mirrored table, on either side. The same text for the same value (see
-- staging/types.toml) is hashed on both; sums do not depend on the order of the rows. The end of a
-- uuid is as good as a hash of it.

-- name: oltp_hash
('x' || left(md5(concat_ws(e'\x1f', {texts})), 15))::bit(60)::bigint

-- name: oltp_text
coalesce({text}, e'\x01')

-- name: oltp_sums
select {tenant} as tenant_id, count(*) as rows,
       sum(('x' || right({id}::text, 12))::bit(48)::bigint)::text as keys, sum({hash})::text as contents
from {table} group by 1;

-- name: oltp_rows
select {id} as id, {hash} as contents from {table} where {tenant} = {tenant_id};

-- name: warehouse_hash
('0x' || left(md5(concat_ws(chr(31), {texts})), 15))::bigint

-- name: warehouse_text
coalesce({text}, chr(1))

-- name: differing_tenants
-- Tenants whose rows, keys or contents differ; on the left the OLTP.
with oltp as (
    from postgres_query('oltp', ?)
), warehouse as (
    select {tenant} as tenant_id, count(*) as rows,
           sum(('0x' || right({id}::varchar, 12))::bigint)::varchar as keys, sum({hash})::varchar as contents
    from {table} group by 1
)
select coalesce(oltp.tenant_id, warehouse.tenant_id)::varchar,
       coalesce(oltp.rows, 0), coalesce(warehouse.rows, 0)
from oltp full join warehouse on oltp.tenant_id = warehouse.tenant_id
where (oltp.rows, oltp.keys, oltp.contents)
    is distinct from (warehouse.rows, warehouse.keys, warehouse.contents)
order by 1;

-- name: differing_rows
-- Some keys of one tenant that differ, and how.
with oltp as (
    from postgres_query('oltp', ?)
), warehouse as (
    select {id} as id, {hash} as contents, count(*) over (partition by {id}) as copies
    from {table} where {tenant} = ?
), compared as (
    select coalesce(oltp.id, warehouse.id)::varchar as id,
           case
               when warehouse.id is null then 'missing'
               when oltp.id is null then 'deleted in the OLTP'
               when warehouse.copies > 1 then 'duplicate'
               when oltp.contents <> warehouse.contents then 'stale'
           end as difference
    from oltp full join warehouse on oltp.id = warehouse.id
)
select distinct difference || ': ' || id from compared where difference is not null
order by 1 limit {limit};

-- name: rows
select count(*) from {table};
