-- Write to a row of the other tenant by its physical position.
-- kind: statement
update {table} set {column} = {column} where ctid = {position}
