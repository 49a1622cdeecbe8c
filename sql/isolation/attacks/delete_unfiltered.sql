-- Delete what is not one's own.
-- kind: statement
delete from {table} where {tenant} is distinct from {own}
