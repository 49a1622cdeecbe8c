-- Read whatever there is, as a query that forgot its filter would.
-- kind: query
-- context: none
select * from {table} limit 1
