-- Read the other tenant's rows by naming it.
-- context: own
select * from {table} where {tenant} = %(victim)s limit 1
