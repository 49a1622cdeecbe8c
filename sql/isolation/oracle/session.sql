-- name: share_snapshot
select pg_export_snapshot()

-- name: join_snapshot
set transaction snapshot {snapshot}

-- name: pin
-- What values look like as text must not depend on the role.
select set_config('statement_timeout', %(timeout_ms)s, true), set_config('timezone', 'UTC', true),
       set_config('datestyle', 'ISO, YMD', true), set_config('intervalstyle', 'postgres', true),
       set_config('extra_float_digits', '1', true), set_config('bytea_output', 'hex', true),
       set_config('jit', 'off', true)

-- name: see_everything
-- With row security off a policy that would hide rows from the witness is an error.
select set_config('row_security', 'off', true)

-- name: digest
-- A multiset of rows: equal ones have equal sums, unequal ones but for one in 2^64.
select count(*), coalesce(sum(hashtextextended(q::text, 0)), 0)::text from ({query}) as q

-- name: rows
select q::text from ({query}) as q
order by q::text collate "C" limit {limit}
