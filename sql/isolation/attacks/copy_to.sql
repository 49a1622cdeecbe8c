-- Copy the whole table out.
-- kind: utility
-- context: none
copy {table} to stdout
