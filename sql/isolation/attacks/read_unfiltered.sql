-- Read what is not one's own.
-- kind: query
select * from {table} where {tenant} is distinct from {own} limit 1
