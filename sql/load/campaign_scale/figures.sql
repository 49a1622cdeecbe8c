-- What is read before each arm and after it, as name and value; a count's rise is what the arm did.

-- name: steps
-- Steps by what became of them: sent, passed, why they were skipped or put off.
select outcome, count(*) from scratch_load.executions group by outcome
union all
select 'executed', count(*) from scratch_load.executions;

-- name: step_lag
-- From when a step fell due (or workers came, where that was later: between arms nobody works) until a worker
-- began it, of those begun since the last reading; and how much of that time it waited to be claimed, and
-- behind its turn's other steps.
with begun as (
    select c.due_at, c.claimed_at, x.began, min(c.claimed_at) over () as came
    from scratch_load.executions x
    join scratch_load.claims c using (turn, place)
    where x.began > (select coalesce(max(at), '-infinity') from scratch_load.readings)
), waited as (
    select extract(epoch from began - greatest(due_at, came)) * 1000 as lag,
           extract(epoch from claimed_at - greatest(due_at, came)) * 1000 as unclaimed,
           extract(epoch from began - claimed_at) * 1000 as claimed
    from begun
)
select f.name, f.value
from (
    select percentile_cont(array[0.5, 0.95]) within group (order by lag) as lag,
           percentile_cont(0.95) within group (order by unclaimed) as unclaimed,
           percentile_cont(0.95) within group (order by claimed) as claimed,
           max(lag) as longest
    from waited
) as of_all
cross join lateral (values
    ('p50_ms', lag[1]), ('p95_ms', lag[2]), ('longest_ms', longest), ('unclaimed_p95_ms', unclaimed), ('claimed_p95_ms', claimed)
) as f (name, value)
where f.value is not null;

-- name: lag_by_sender
-- The same by the sender's rank, in half decades: whether the small wait behind the large.
with begun as (
    select c.tenant_id, c.due_at, x.began, min(c.claimed_at) over () as came
    from scratch_load.executions x
    join scratch_load.claims c using (turn, place)
    where x.began > (select coalesce(max(at), '-infinity') from scratch_load.readings)
), banded as (
    select case when min(s.sender) = max(s.sender) then min(s.sender)::text else min(s.sender) || ' to ' || max(s.sender) end as ranks,
           percentile_cont(array[0.5, 0.95]) within group (order by extract(epoch from b.began - greatest(b.due_at, b.came)) * 1000) as ms
    from begun b
    join scratch_load.senders s using (tenant_id)
    group by width_bucket(s.sender, array[2, 4, 11, 32, 101, 317, 1001])
)
select ranks || ' ' || f.name, f.value
from banded cross join lateral (values ('p50_ms', ms[1]), ('p95_ms', ms[2])) as f (name, value);

-- name: step_duration
select f.name, f.value
from (
    select percentile_cont(array[0.5, 0.95]) within group (order by extract(epoch from ended - began) * 1000) as ms
    from scratch_load.executions
    where outcome = 'sent' and began > (select coalesce(max(at), '-infinity') from scratch_load.readings)
) as sent
cross join lateral (values ('sent_p50_ms', ms[1]), ('sent_p95_ms', ms[2])) as f (name, value)
where f.value is not null;

-- name: worker_turns
-- How much a turn finds to do: full turns say that workers do not keep up.
select f.name, f.value
from (
    select count(*) as turns, count(*) filter (where claimed = 10) as full_turns
    from (select turn, count(*) as claimed from scratch_load.claims group by turn) as turn
) as of_all
cross join lateral (values ('turns', turns), ('full_turns', full_turns)) as f (name, value);

-- name: due_steps
-- What is due now and unclaimed, and for how long the oldest has been.
select f.name, f.value
from (
    select count(*) as waiting, coalesce(extract(epoch from max(scratch_load.clock() - e.due_at)) * 1000, 0) as oldest
    from scratch_load.senders s
    join campaigns.enrollments e on e.tenant_id = s.tenant_id
    where e.status = 'active' and e.due_at <= scratch_load.clock() and e.claimed_until is null
) as of_all
cross join lateral (values ('waiting', waiting), ('oldest_ms', oldest)) as f (name, value);

-- name: storage (administrator)
-- Size and bloat of the tables that sequences write, and how many of their updates touch no index (HOT).
select t.schemaname || '.' || t.relname || ' ' || f.name, f.value
from pg_stat_user_tables t
cross join lateral (values
    ('table_bytes', pg_relation_size(t.relid)), ('index_bytes', pg_indexes_size(t.relid)),
    ('rows', t.n_live_tup), ('dead_rows', t.n_dead_tup), ('updates', t.n_tup_upd), ('hot_updates', t.n_tup_hot_upd)
) as f (name, value)
where t.relid in (
    'campaigns.campaigns'::regclass, 'campaigns.counters'::regclass, 'campaigns.daily_sends'::regclass,
    'campaigns.enrollments'::regclass, 'campaigns.events'::regclass, 'campaigns.leads'::regclass,
    'campaigns.step_executions'::regclass, 'infrastructure.daily_sends'::regclass,
    'infrastructure.email_accounts'::regclass, 'billing.usage_counters'::regclass);

-- name: wal (administrator)
-- What the arm wrote in all; that of a step alone is in the measurement table statements, at the one that calls
-- scratch_load.execute.
select 'bytes', pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0');

-- name: reading
insert into scratch_load.readings (at) values (scratch_load.clock()) returning 'clock_s', extract(epoch from at);
