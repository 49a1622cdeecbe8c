-- Write to whatever there is, blindly: a statement that reads no column is not held to what it may read.
-- kind: statement
-- context: none
update {table} set {column} = null
