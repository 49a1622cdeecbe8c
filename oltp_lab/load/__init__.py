"""The stage that puts load on the database: workloads, and what row level security costs."""
