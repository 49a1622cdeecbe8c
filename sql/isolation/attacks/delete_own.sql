-- Delete one's own rows, as a tenant that may only read.
-- kind: statement
-- context: suspended
delete from {table} where {tenant} = {own}
