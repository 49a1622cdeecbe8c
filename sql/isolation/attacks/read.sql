-- Read the other tenant's rows by naming it.
-- kind: query
select * from {table} where {tenant} = {victim} limit 1
