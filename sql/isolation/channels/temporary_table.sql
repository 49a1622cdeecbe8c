-- Can the next tenant in a pooled session read a temporary table that was left there?
-- expected: closed
-- observes: answer
-- victim: same session
-- advice: Revoke TEMPORARY on the database from public.

-- name: secrets
select mod(i, 2) = 0 as secret, case when mod(i, 2) = 0 then 'contacted' else 'new' end as word from generate_series(1, %(trials)s) as i;

-- name: act
create temporary table left_behind as
select status from campaigns.leads where tenant_id = %(victim)s and status = %(word)s limit 1;

-- name: rest
create temporary table left_behind as
select status from campaigns.leads where tenant_id = %(victim)s and status = %(word)s limit 1;

-- name: probe
select status from left_behind;
