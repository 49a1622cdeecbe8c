-- Write to one's own rows, as a tenant that may only read.
-- kind: statement
-- context: suspended
update {table} set {column} = {column} where {tenant} = {own}
