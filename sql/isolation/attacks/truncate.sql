-- Empty the table: TRUNCATE is not subject to row level security, so the privilege must be missing.
-- kind: utility
-- leaks when: accepted
truncate {table}
