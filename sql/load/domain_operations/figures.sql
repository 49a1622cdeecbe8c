-- What is read off beside latencies, as totals since setup.sql: what an arm did is the difference between two
-- readings.

-- name: outcomes
-- Answers and refusals by operation: of assignments, not_available and no_free_address are conflicts.
select operation || ': ' || outcome, sum(calls)::float8 from scratch_load.outcomes group by operation, outcome;

-- name: failovers
-- From the failure of a server until the last of its addresses was replaced or given up, as far as seen within.
select 'servers_failed', count(*)::float8 from scratch_load.failures
union all
select 'addresses_replaced', count(replacement)::float8 from scratch_load.moves where failure is not null
union all
select 'addresses_with_nowhere_to_go', count(refusal)::float8 from scratch_load.moves where failure is not null
union all
select 'milliseconds_p50', coalesce(percentile_cont(0.5) within group (order by extract(epoch from ended - began)), 0) * 1000
from scratch_load.failures
union all
select 'milliseconds_longest', coalesce(max(extract(epoch from ended - began)), 0)::float8 * 1000 from scratch_load.failures
union all
select 'tenants_without_address', count(*)::float8 from scratch_load.accounts a
where not exists (select from infrastructure.smtp_ips i where i.owner_tenant_id = a.tenant_id);

-- name: backlog
-- Look-ups that are due and that no worker has come to, and how long that is of our time.
select 'checks_due', count(*)::float8
from infrastructure.domains d join scratch_load.accounts a using (tenant_id)
where d.next_check_at <= scratch_load.clock()
union all
select 'lag_milliseconds', coalesce(extract(epoch from scratch_load.clock() - min(d.next_check_at))::float8 * 1000
                                    / (86400 * min(l.days_a_second)), 0)
from scratch_load.life l
join infrastructure.domains d on d.next_check_at <= scratch_load.clock()
join scratch_load.accounts a using (tenant_id);

-- name: verification
-- Of the run's domains, and what its look-ups found.
select 'domains_' || d.status, count(*)::float8
from infrastructure.domains d join scratch_load.accounts a using (tenant_id)
group by d.status
union all
select 'checks_' || c.status, count(*)::float8
from infrastructure.dns_checks c join scratch_load.accounts a using (tenant_id)
group by c.status
union all
select 'drift_' || c.drift, count(*)::float8
from infrastructure.dns_checks c join scratch_load.accounts a using (tenant_id)
where c.drift is not null
group by c.drift;

-- name: addresses
select 'addresses_' || case when v.status = 'failed' then 'of_failed_servers' else i.status end, count(*)::float8
from infrastructure.smtp_ips i
join scratch_load.warmth w on w.smtp_ip_id = i.id
join infrastructure.vps_instances v on v.id = i.vps_instance_id
group by 1
union all
select 'health_' || i.health, count(*)::float8
from infrastructure.smtp_ips i join scratch_load.warmth w on w.smtp_ip_id = i.id
group by i.health;

-- name: quality
-- What the chosen addresses carry of what is expected, by their reputation, as a share of what the best free
-- ones would: roomier ones are spared for who needs them, as far as most is carried.
select 'judged', count(*)::float8 from scratch_load.choices
union all
select 'share_of_the_best', coalesce(sum(chosen) / nullif(sum(best), 0), 0) from scratch_load.choices;

-- name: warm_up
select 'mails_sent', coalesce(sum(sent), 0)::float8 from scratch_load.slots
union all
select 'periods_begun', count(distinct (sender, period_ends_at))::float8 from scratch_load.slots
union all
select 'periods_used_up', count(*)::float8
from (select from scratch_load.slots group by sender, period_ends_at having sum(sent) = max(allowance)) as used_up;

-- name: costs
select 'cents_shared', coalesce(sum(s.cents), 0)::float8
from infrastructure.cost_shares s
join infrastructure.costs c on c.id = s.cost_id
join infrastructure.vps_instances v on v.id = c.vps_instance_id
where v.name like 'load-%';
