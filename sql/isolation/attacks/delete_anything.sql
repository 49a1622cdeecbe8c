-- Delete whatever there is.
-- kind: statement
-- context: none
delete from {table}
