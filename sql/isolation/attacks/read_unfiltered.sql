-- Read whatever is not one's own, as a query that forgot its filter would.
-- context: own
select * from {table} where {tenant} <> %(own)s limit 1
