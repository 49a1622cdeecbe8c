-- Lock the other tenant's rows.
-- context: own
select * from {table} where {tenant} = %(victim)s limit 1 for update
