-- Does a cursor that was opened in one tenant's context go on in the next one's?
-- expected: closed
-- observes: answer
-- victim: same transaction
-- advice: Close cursors before another tenant is entered, as lab.enter_tenant demands; better, one tenant a transaction.

-- name: secrets
select mod(i, 2) = 0 as secret, case when mod(i, 2) = 0 then 'contacted' else 'new' end as word from generate_series(1, %(trials)s) as i;

-- name: act
declare left_open cursor for select status from campaigns.leads where tenant_id = %(victim)s and status = %(word)s;
fetch 1 from left_open;

-- name: rest
declare left_open cursor for select status from campaigns.leads where tenant_id = %(victim)s and status = %(word)s;
fetch 1 from left_open;

-- name: probe
fetch 1 from left_open;
