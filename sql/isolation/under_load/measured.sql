-- Runs in DuckDB: what isolation under load shows of its own measurements.

-- name: arms
select
    arm, clients, sessions, tenants, users, transactions, statements, assertions, switches, errors,
    cancels, reconnects, leaks, control_leaks, controls, seconds, prepared, skipped
from isolation_load
where run_id = $run_id
order by recorded_at, arm;

-- name: broken
-- Arms of a run that leaked, or whose assertions prove nothing.
select
    arm, leaks, role, leaked_statement, leaked_expected, leaked_seen,
    case
        when leaks > 0 then format(
            '{} leaks, the first as {} in {}: expected {}, saw {}',
            leaks, role, leaked_statement, leaked_expected, leaked_seen
        )
        when assertions = 0 then 'nothing was asserted'
        else format('not proven: {} of {} controls leaked', control_leaks, controls)
    end as problem
from isolation_load
where skipped is null and (leaks > 0 or assertions = 0 or control_leaks < controls)
    and run_id = $run_id
order by arm;
