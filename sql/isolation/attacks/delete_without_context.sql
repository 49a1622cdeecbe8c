-- Delete without any tenant in context.
-- context: none
delete from {table}
