-- What is read off beside latencies, as totals since setup.sql: what an arm did is the difference between two readings.

-- name: outcomes
-- Answers and refusals by operation.
select operation || ': ' || outcome, sum(calls)::float8 from scratch_load.outcomes group by operation, outcome;

-- name: lookups (administrator)
-- A flag is looked up by its key: what was read by scanning instead, in the whole database.
select relname || '_' || how, value::float8
from pg_stat_user_tables
cross join lateral (values ('scans', seq_scan), ('index_scans', idx_scan)) as read (how, value)
where schemaname = 'configuration' and relname in ('feature_flags', 'settings', 'policies');

-- name: changes (administrator)
-- Of tables that every look-up reads: updates, those that left the indexes alone, and what vacuum has yet to clear.
select relname || '_' || what, value::float8
from pg_stat_user_tables
cross join lateral (values ('updates', n_tup_upd), ('updates_hot', n_tup_hot_upd), ('dead_rows', n_dead_tup)) as moved (what, value)
where schemaname = 'configuration' and relname in ('feature_flags', 'user_preferences', 'tenant_policies', 'user_flag_overrides');

-- name: policies
select 'mails_at_the_edge', coalesce(sum(sent), 0)::float8 from scratch_load.sends;
