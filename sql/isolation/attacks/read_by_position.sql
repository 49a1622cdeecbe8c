-- Read a row of the other tenant by its physical position.
-- kind: query
select * from {table} where ctid = {position}
