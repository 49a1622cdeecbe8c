-- Copy the other tenant's rows out.
-- kind: utility
copy (select * from {table} where {tenant} = {victim}) to stdout
