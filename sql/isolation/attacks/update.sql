-- Write to the other tenant's rows.
-- kind: statement
update {table} set {column} = {column} where {tenant} = {victim}
