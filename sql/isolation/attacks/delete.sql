-- Delete the other tenant's rows.
-- kind: statement
delete from {table} where {tenant} = {victim}
