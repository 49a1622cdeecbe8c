-- Read without any tenant in context.
-- context: none
select * from {table} limit 1
