-- Delete the other tenant's rows.
-- context: own
delete from {table} where {tenant} = %(victim)s
