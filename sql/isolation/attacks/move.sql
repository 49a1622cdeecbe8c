-- Give one's own rows to the other tenant.
-- kind: statement
-- needs: own rows
update {table} set {tenant} = {victim} where {tenant} = {own}
