-- Write to the other tenant's rows, asking for them.
-- kind: statement
update {table} set {column} = {column} where {tenant} = {victim} returning *
