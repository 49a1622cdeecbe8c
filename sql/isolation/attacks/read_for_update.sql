-- Lock the other tenant's rows.
-- kind: locking query
select * from {table} where {tenant} = {victim} limit 1 for update
