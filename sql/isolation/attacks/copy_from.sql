-- Copy rows in: PostgreSQL refuses that under row level security.
-- kind: utility
-- leaks when: accepted
-- refused with: 0A000
copy {table} ({columns}) from stdin
