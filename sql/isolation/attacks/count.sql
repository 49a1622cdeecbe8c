-- Count the other tenant's rows.
-- kind: query
select count(*) from {table} where {tenant} = {victim} having count(*) > 0
