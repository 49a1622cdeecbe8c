-- Can the next tenant in a pooled session read a cursor WITH HOLD that was left open?
-- expected: open
-- observes: answer
-- victim: same session
-- because: Its rows were copied when the transaction ended, and belong to the session.
-- advice: Have the pool run DISCARD ALL (PgBouncer: server_reset_query, with server_reset_query_always in transaction mode), or use no WITH HOLD.

-- name: secrets
select mod(i, 2) = 0 as secret, case when mod(i, 2) = 0 then 'contacted' else 'new' end as word from generate_series(1, %(trials)s) as i;

-- name: act
declare left_open cursor with hold for select status from campaigns.leads where tenant_id = %(victim)s and status = %(word)s limit 1;

-- name: rest
declare left_open cursor with hold for select status from campaigns.leads where tenant_id = %(victim)s and status = %(word)s limit 1;

-- name: probe
fetch 1 from left_open;
