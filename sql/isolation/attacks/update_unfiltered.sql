-- Write to whatever is not one's own.
-- kind: statement
update {table} set {column} = {column} where {tenant} is distinct from {own}
