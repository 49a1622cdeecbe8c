-- Delete the other tenant's rows, asking for them.
-- kind: statement
delete from {table} where {tenant} = {victim} returning *
