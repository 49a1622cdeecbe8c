-- What the "Metrics to Track" of test 3 ask for beside latencies, as totals since setup.sql: what an arm did is
-- the difference between two readings.

-- name: outcomes
-- Answers and refusals by operation.
select operation || ': ' || outcome, sum(calls)::float8 from scratch_load.outcomes group by operation, outcome;

-- name: modifications
-- Of the run's subscriptions, by kind of change.
select c.kind, count(*)::float8
from billing.subscription_changes c join scratch_load.accounts a using (tenant_id)
group by c.kind;

-- name: limits (administrator)
-- A check is one update in place: how many were not, by pg_stat_user_tables of the whole database.
select 'counter_updates', n_tup_upd::float8 from pg_stat_user_tables where relid = 'billing.usage_counters'::regclass
union all
select 'counter_updates_hot', n_tup_hot_upd::float8 from pg_stat_user_tables where relid = 'billing.usage_counters'::regclass
union all
select 'units_granted', coalesce(sum(granted), 0)::float8 from scratch_load.consumption where feature_key <> 'unchecked'
union all
select 'units_at_the_edge', coalesce(sum(granted), 0)::float8 from scratch_load.consumption where feature_key = 'leads'
union all
select 'units_beyond_the_limit', coalesce(sum(overshot), 0)::float8 from scratch_load.consumption;

-- name: payments
select 'attempts_' || t.status, count(*)::float8
from billing.payment_attempts t join scratch_load.accounts a using (tenant_id)
group by t.status
union all
select 'captured_cents', coalesce(sum(amount_cents), 0)::float8 from scratch_load.captures
union all
select 'invoices_' || v.status, count(*)::float8
from billing.invoices v join scratch_load.accounts a using (tenant_id)
group by v.status
union all
select 'invoices_tried_again', count(*)::float8
from billing.invoices v join scratch_load.accounts a using (tenant_id)
where v.attempts > 0;

-- name: backlog
-- What time has made due and no worker has come to: how far billing is behind.
select 'renewals_due', count(*)::float8
from billing.subscriptions s join scratch_load.accounts a using (tenant_id)
where s.due_at <= scratch_load.clock()
union all
select 'payments_due', count(*)::float8
from billing.invoices v join scratch_load.accounts a using (tenant_id)
where v.next_attempt_at <= scratch_load.clock();
