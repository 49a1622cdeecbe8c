-- Write to the other tenant's rows.
-- context: own
update {table} set {tenant} = {tenant} where {tenant} = %(victim)s
