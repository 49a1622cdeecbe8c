-- Can the next tenant in a pooled session read what was prepared there, literals and all?
-- expected: open
-- observes: answer
-- victim: same session
-- because: pg_prepared_statements shows a session its own statements, and a pool shares sessions. What they return follows the context, since policies read it anew.
-- advice: Bind values as parameters, so that the text holds none; have the pool run DISCARD ALL.

-- name: secrets
select mod(i, 2) = 0 as secret, case when mod(i, 2) = 0 then 'a@example.com' else 'b@example.com' end as word from generate_series(1, %(trials)s) as i;

-- name: act
prepare left_behind as select from campaigns.leads where tenant_id = %(victim)s and email_norm = %(word)s;

-- name: rest
prepare left_behind as select from campaigns.leads where tenant_id = %(victim)s and email_norm = %(word)s;

-- name: probe
select statement like '%%a@example.com%%' from pg_prepared_statements where name = 'left_behind';
