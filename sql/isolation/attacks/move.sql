-- Give one's own rows to the other tenant.
-- context: own
-- needs: own rows
update {table} set {tenant} = %(victim)s where {tenant} = %(own)s
